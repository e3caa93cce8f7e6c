"""What cannot be measured is refused by its plan, from what the registry tells alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2 as pb
from modelfoundry.api.types.v1.exports_pb2 import COMPUTE_INT8 as IN_INT8
from modelfoundry.client import (
    Architecture,
    Baseline,
    BinaryProblem,
    BlobRef,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    Device,
    InputSpec,
    Model,
    Module,
)
from modelfoundry.evaluator.plan import EvaluationPlan, plan_evaluation
from modelfoundry.evaluator.request import evaluation_from_proto
from modelfoundry.workbench.compositions import ENSEMBLE, IMAGES_SETTING
from modelfoundry.workbench.resources import AsyncResources, Known

PROJECT = "projects/p"
LABELS = ("cat", "dog", "cow")
SPEC = InputSpec(3, 8, 8)


def full(name: str) -> str:
    return f"{PROJECT}/{name}"


def dataset(
    dataset_id: str, labels: tuple[str, ...] = LABELS, *, size: int = 8, splits: tuple[str, ...] = ("test",)
) -> Dataset:
    parts = tuple(DatasetSplit(split=split, content=BlobRef(f"sha256:{dataset_id}")) for split in splits)
    name = full(f"datasets/{dataset_id}")
    return Dataset(name=name, labels=labels, splits=parts, channels=3, height=size, width=size)


def model(model_id: str) -> Model:
    return Model(
        name=full(f"models/{model_id}"),
        architecture=Architecture("zoo:resnet20"),
        input=SPEC,
        labels=LABELS,
        weights=BlobRef("sha256:0"),
    )


def module(base: str) -> Module:
    return Module(
        name=full(f"modules/{base}-cat"),
        base_model=full(f"models/{base}"),
        problem=BinaryProblem("cat"),
        artifact=BlobRef("sha256:1"),
        dataset=full("datasets/animals"),
        record=DecompositionRecord(algorithm="seam"),
    )


def composition(composition_id: str, task: CompositionTask, **record: Any) -> Composition:
    labels = ("mouser", "dog")
    return Composition(
        name=full(f"compositions/{composition_id}"),
        task=task,
        members=tuple(
            CompositionMember(label=each, source=full("modules/net-cat"), source_label="cat") for each in labels
        ),
        input=SPEC,
        datasets=(full("datasets/cats"), full("datasets/animals")),
        labels=labels,
        record=CompositionRecord(strategy="joint", **record),
    )


CHOSEN = {"mouser": [full("datasets/cats"), "cat"], "dog": [full("datasets/animals"), "dog"]}
RIVALS = tuple(
    Baseline(name=name, validation_accuracy=1.0, parameters=1, macs=1) for name in (full("models/gone"), ENSEMBLE)
)
RESOURCES = (
    model("net"),
    module("net"),
    module("doomed"),
    composition("pets", CompositionTask.NEW_TASK, settings={IMAGES_SETTING: CHOSEN}),
    composition("merged", CompositionTask.MORE_ACCURATE, baselines=RIVALS),
    dataset("animals"),
    dataset("cats", ("cat",)),
    dataset("plants", ("oak", "elm")),
    dataset("large", size=32),
)


class Nothing:
    """A registry in which nothing else is."""

    @property
    def models(self) -> Nothing:
        return self

    modules = compositions = datasets = models

    async def get(self, name: str) -> Any:
        raise errors.NotFound(f"{name} is not there", hint="look at what is")


async def plan(
    *subjects: str,
    dataset: str = "animals",
    others: tuple[str, ...] = (),
    resources: tuple[Any, ...] = RESOURCES,
    **fields: Any,
) -> EvaluationPlan:
    request = pb.EvaluateRequest(
        parent=PROJECT,
        subjects=map(full, subjects),
        dataset=full(f"datasets/{dataset}"),
        other_datasets=[full(f"datasets/{other}") for other in others],
        **fields,
    )
    nothing: Any = Nothing()
    return await plan_evaluation(evaluation_from_proto(request), AsyncResources(nothing, Known(resources)))


async def test_subjects_are_planned_in_the_order_asked_with_every_default_filled_in() -> None:
    planned = await plan("modules/net-cat", "models/net", "compositions/pets")
    assert [subject.name for subject in planned.subjects] == [
        full("modules/net-cat"),
        full("models/net"),
        full("compositions/pets"),
    ]
    assert (planned.request.split, planned.request.device, planned.request.problem) == ("test", Device.AUTO, None)
    assert not planned.request.baselines
    assert (await plan("modules/net-cat", modularity=True)).request.baselines


async def test_a_new_task_is_measured_on_the_data_sets_that_its_labels_were_chosen_on() -> None:
    planned = await plan("compositions/pets", dataset="cats", others=("animals",))
    assert [each.name for each in (planned.dataset, *planned.other_datasets)] == [
        full("datasets/cats"),
        full("datasets/animals"),
    ]


async def test_int8_is_calibrated_on_the_recorded_data_set_else_on_the_one_that_is_measured_on() -> None:
    whole = dataset("whole", splits=("train", "test"))
    trained = replace(model("net"), training_dataset=full("datasets/whole"))
    for known, asked in (((trained, whole, dataset("animals")), "animals"), ((model("net"), whole), "whole")):
        planned = await plan("models/net", dataset=asked, compute=IN_INT8, resources=known)
        assert [each.name for each in planned.calibration[full("models/net")].datasets] == [full("datasets/whole")]
    assert not (await plan("models/net")).calibration
    with pytest.raises(errors.InvalidField, match="no split 'train'"):
        await plan("models/net", compute=IN_INT8)


REFUSED: list[Any] = [
    pytest.param({"compute": 99}, errors.InvalidField, "compute", "99", id="compute of a newer service"),
    pytest.param(
        {"subjects": ["models/net"], "compute": IN_INT8, "problem": {"binary": {"label": "cat"}}},
        *(errors.InvalidField, "problem", "own task"),
        id="a problem in int8",
    ),
    pytest.param({"subjects": []}, errors.InvalidField, "subjects", "0 are named", id="nothing"),
    pytest.param(
        {"subjects": ["datasets/animals"]}, errors.InvalidField, "subjects[0]", "neither a model", id="a data set"
    ),
    pytest.param({"subjects": ["models/NO"]}, errors.InvalidField, "subjects[0]", "NO", id="no name"),
    pytest.param({"subjects": ["models/other"]}, errors.NotFound, "", "models/other", id="no such model"),
    pytest.param({"subjects": ["modules/doomed-cat"]}, errors.NotFound, "", "models/doomed", id="a base that is gone"),
    pytest.param({"dataset": "other"}, errors.NotFound, "", "datasets/other", id="no such data set"),
    pytest.param({"dataset": "plants"}, errors.DatasetMismatch, "dataset", "lacks the labels", id="other labels"),
    pytest.param({"dataset": "large"}, errors.DatasetMismatch, "dataset", "3x32x32", id="another size"),
    pytest.param({"split": "tset"}, errors.InvalidField, "split", "'tset'", id="no such split"),
    pytest.param({"device": 99}, errors.InvalidField, "device", "99", id="no such device"),
    pytest.param(
        {"latency_batch_sizes": [1, 0]}, errors.InvalidField, "latency_batch_sizes[1]", "0 is out", id="a batch of none"
    ),
    pytest.param(
        {"latency_batch_sizes": [1] * 9}, errors.InvalidField, "latency_batch_sizes", "9", id="too many batch sizes"
    ),
    pytest.param({"problem": {}}, errors.InvalidField, "problem", "none is set", id="a problem of no kind"),
    pytest.param(
        {"problem": {"binary": {"label": "cta"}}},
        errors.UnknownLabel,
        "problem.binary.label",
        "'cta'",
        id="a label that is unknown",
    ),
    pytest.param(
        {"subjects": ["modules/net-cat"], "problem": {"binary": {"label": "cat"}}},
        errors.InvalidField,
        "problem",
        "its own",
        id="a problem for a module",
    ),
    pytest.param({"others": ("cats",)}, errors.InvalidField, "subjects[0]", "no composition", id="two for a model"),
    pytest.param(
        {"subjects": ["compositions/pets"], "dataset": "cats", "others": ("animals", "cats")},
        errors.InvalidField,
        "other_datasets[1]",
        "twice",
        id="a data set twice",
    ),
    pytest.param(
        {"subjects": ["compositions/pets"], "dataset": "cats", "others": ("plants",)},
        errors.InvalidField,
        "other_datasets[0]",
        "chosen on",
        id="a data set that nothing was chosen on",
    ),
    pytest.param(
        {"subjects": ["compositions/merged"], "others": ("cats",)},
        errors.InvalidField,
        "dataset",
        "chosen on",
        id="two for no new task",
    ),
    pytest.param(
        {"subjects": ["compositions/pets"], "dataset": "plants"},
        errors.DatasetMismatch,
        "dataset",
        "none of the labels",
        id="a data set without any label of a new task",
    ),
    pytest.param(
        {"subjects": ["compositions/merged"], "dataset": "animals"},
        errors.DatasetMismatch,
        "dataset",
        "'mouser'",
        id="a data set without a label of a composition",
    ),
]


@pytest.mark.parametrize(("asked", "error", "field", "says"), REFUSED)
async def test_what_cannot_be_measured_is_refused_by_the_plan(
    asked: dict[str, Any], error: type[errors.ModelFoundryError], field: str, says: str
) -> None:
    subjects = asked.pop("subjects", ["models/net"])
    with pytest.raises(error) as caught:
        await plan(*subjects, **asked)
    assert caught.value.field == field or (not field and error is errors.NotFound)
    assert says in caught.value.message
    assert caught.value.hint


async def test_what_a_composition_was_compared_with_is_asked_for_with_baselines_alone() -> None:
    known = composition("merged", CompositionTask.MORE_ACCURATE, baselines=RIVALS)
    both = dataset("both", ("mouser", "dog"))
    nothing: Any = Nothing()

    async def planned(*, baselines: bool) -> EvaluationPlan:
        request = pb.EvaluateRequest(parent=PROJECT, subjects=[known.name], dataset=both.name, baselines=baselines)
        return await plan_evaluation(evaluation_from_proto(request), AsyncResources(nothing, Known((known, both))))

    assert (await planned(baselines=False)).subjects == (known,)
    with pytest.raises(errors.NotFound, match=r"which .*merged was compared with, is gone") as caught:
        await planned(baselines=True)
    assert caught.value.field == "baselines"
