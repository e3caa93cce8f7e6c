"""What cannot be composed is refused by its plan, from what the registry tells alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.reuser.v1 import composing_pb2 as pb
from modelfoundry.api.types.v1.compute_pb2 import ValidationSplit
from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    InputSpec,
    Model,
    Module,
    TensorSpec,
)
from modelfoundry.reuser.composing.plan import CompositionPlan, plan_composition
from modelfoundry.reuser.composing.request import composition_from_proto
from modelfoundry.workbench.resources import AsyncResources, Known

PROJECT = "projects/zoo"
LOW, HIGH = ("0", "1", "2"), ("3", "4", "5")
SPEC = InputSpec(1, 8, 8, (0.3,), (0.4,))


def full(name: str) -> str:
    return f"{PROJECT}/{name}"


def model(model_id: str, labels: tuple[str, ...] = LOW, spec: InputSpec = SPEC) -> Model:
    return Model(
        name=full(f"models/{model_id}"),
        architecture=Architecture("zoo:digits_cnn"),
        input=spec,
        labels=labels,
        weights=BlobRef(f"sha256:{model_id}"),
        tensors=(TensorSpec("fc.weight", "F32", (3, 16)),),
    )


def module(base: str, label: str) -> Module:
    return Module(
        name=full(f"modules/{base}-{label}"),
        base_model=full(f"models/{base}"),
        problem=BinaryProblem(label),
        artifact=BlobRef(f"sha256:{base}-{label}", size_bytes=100),
        dataset=full("datasets/low"),
        record=DecompositionRecord(algorithm="seam"),
    )


def dataset(dataset_id: str, labels: tuple[str, ...], **counts: int) -> Dataset:
    images = tuple(counts.get(f"of_{label}", 40) for label in labels)
    splits = tuple(
        DatasetSplit(split=split, content=BlobRef(f"sha256:{dataset_id}-{split}"), label_counts=images)
        for split in ("train", "test")
    )
    name = full(f"datasets/{dataset_id}")
    return Dataset(name=name, labels=labels, splits=splits, channels=1, height=8, width=8, digest=f"d-{dataset_id}")


MODULES = (*(module(base, label) for base in "ab" for label in LOW), module("high", "3"), module("near", "0"))
RESOURCES = (
    model("a"),
    model("b", spec=InputSpec(1, 8, 8, (0.6,), (0.4,))),
    model("weak"),
    model("high", HIGH),
    model("bare"),
    model("large", spec=InputSpec(1, 16, 16, (0.3,), (0.4,))),
    model("coloured", spec=InputSpec(3, 8, 8)),
    model("stretched", spec=InputSpec(1, 8, 8, (0.3,), (0.2,))),
    model("near", spec=InputSpec(1, 8, 8, (0.305,), (0.395,))),
    *MODULES,
    dataset("low", LOW),
    dataset("high", HIGH),
    dataset("twoless", LOW, of_2=1),
)


class Registry:
    """What a plan asks of the client beside what it was given: lists of modules, and what is not there."""

    @property
    def models(self) -> Registry:
        return self

    modules = compositions = datasets = models

    async def get(self, name: str) -> Any:
        raise errors.NotFound(f"{name} is not there", hint="look at what is")

    async def list(self, asked: str, *, order_by: str) -> AsyncIterator[Module]:
        for each in sorted(MODULES, key=lambda module: module.name):
            if asked == f'base_model = "{each.base_model}"':
                yield each


async def plan(request: pb.ComposeModelRequest, *more: Any) -> CompositionPlan:
    client: Any = Registry()
    resources = AsyncResources(client, Known((*RESOURCES, *more)))
    return await plan_composition(composition_from_proto(request), resources)


def more_accurate(*sources: str, dataset: str = "low", **fields: Any) -> pb.ComposeModelRequest:
    request = pb.ComposeModelRequest(parent=PROJECT, dataset=full(f"datasets/{dataset}"), **fields)
    request.more_accurate.sources.extend(map(full, sources))
    return request


def new_task(*labels: tuple[str, str], datasets: Sequence[str] = (), **fields: Any) -> pb.ComposeModelRequest:
    """Labels as `name` or `name=name in the source`, each with its source."""
    request = pb.ComposeModelRequest(parent=PROJECT, dataset=full("datasets/low"), **fields)
    for label, source in labels:
        name, _, named_there = label.partition("=")
        request.new_task.labels.add(label=name, source_label=named_there, sources=[full(source)])
    return request


def patch(target: str, *sources: str, labels: Sequence[str] = ()) -> pb.ComposeModelRequest:
    request = pb.ComposeModelRequest(parent=PROJECT, dataset=full("datasets/low"))
    request.patch.model = full(f"models/{target}")
    request.patch.sources.extend(map(full, sources))
    request.patch.labels.extend(labels)
    return request


ANYHOW = {"allow_different_preprocessing": True}
SEALED = ValidationSplit(source_split="test")


@pytest.mark.parametrize(
    ("request_", "error", "field", "says"),
    [
        pytest.param(
            more_accurate("models/a", "models/high"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "lacks '0', '1', '2' and has '3', '4', '5'",
            id="other labels",
        ),
        pytest.param(
            more_accurate("models/a", "models/large"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "models/large takes images of 1x16x16 (channels, height, width), projects/zoo/models/a of 1x8x8",
            id="another image size",
        ),
        pytest.param(
            more_accurate("models/a", "models/coloured", **ANYHOW),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "models/coloured takes images of 3x8x8 (channels, height, width), projects/zoo/models/a of 1x8x8",
            id="another number of channels",
        ),
        pytest.param(
            more_accurate("models/a", "models/b"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "mean 0.6 and deviation 0.4, projects/zoo/models/a with mean 0.3 and deviation 0.4",
            id="another mean",
        ),
        pytest.param(
            more_accurate("models/a", "models/stretched"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "mean 0.3 and deviation 0.2, projects/zoo/models/a with mean 0.3 and deviation 0.4",
            id="another deviation",
        ),
        pytest.param(
            patch("a", "modules/a-0", "modules/b-1"),
            errors.InvalidField,
            "patch.sources[1]",
            "modules/b-1 normalises images with mean 0.6",
            id="a patch with another mean",
        ),
        pytest.param(
            patch("a", "models/coloured"),
            errors.InvalidField,
            "patch.sources[0]",
            "models/coloured takes images of 3x8x8",
            id="a patch with another number of channels",
        ),
        pytest.param(
            new_task(("0", "models/a"), ("1", "models/large")),
            errors.InvalidField,
            "new_task.labels[1].sources[0]",
            "models/large takes images of 1x16x16",
            id="a new task with another image size",
        ),
        pytest.param(
            more_accurate("models/a", "models/bare"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "bare has no modules",
            id="a source without modules",
        ),
        pytest.param(more_accurate("models/a"), errors.InvalidField, "more_accurate.sources", "1 are", id="one"),
        pytest.param(more_accurate("models/a", "models/a-0"), errors.NotFound, "", "models/a-0", id="a module's id"),
        pytest.param(
            more_accurate("models/a", "modules/a-0"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "cannot be taken here",
            id="a module",
        ),
        pytest.param(
            more_accurate("models/a", "models/b", dataset="twoless", **ANYHOW),
            errors.DatasetMismatch,
            "dataset",
            "validation data would lack '2'",
            id="validation data without a label",
        ),
        pytest.param(
            more_accurate("models/a", "models/b", validation=SEALED, **ANYHOW),
            errors.TestSplitSealed,
            "validation.source_split",
            "sealed",
            id="test data",
        ),
        pytest.param(
            more_accurate("models/a", "models/b", score="auc"), errors.InvalidField, "score", "auc", id="score"
        ),
        pytest.param(
            new_task(("x", "models/a"), ("x", "models/b")),
            errors.InvalidField,
            "new_task.labels[1].label",
            "there twice",
            id="a label twice",
        ),
        pytest.param(
            new_task(("0", "models/a")),
            errors.InvalidField,
            "new_task.labels",
            "two labels or more",
            id="one label",
        ),
        pytest.param(
            new_task(("0", "models/a"), ("00", "models/a")),
            errors.UnknownLabel,
            "new_task.labels[1]",
            "'00'",
            id="a label that nobody knows",
        ),
        pytest.param(
            new_task(("0", "models/a"), ("1", "models/bare")),
            errors.UnknownLabel,
            "new_task.labels[1]",
            "has a module",
            id="a label without a module",
        ),
        pytest.param(
            new_task(("0", "models/a"), ("3", "modules/high-3")),
            errors.DatasetMismatch,
            "dataset",
            "lacks the label '3'",
            id="a data set without the label",
        ),
        pytest.param(
            new_task(("0", "models/a"), ("o=0", "models/b")),
            errors.InvalidField,
            "new_task.labels[1].source_label",
            "the same images",
            id="the same images twice",
        ),
        pytest.param(
            patch("weak", "models/a", labels=["tow"]),
            errors.UnknownLabel,
            "patch.labels[0]",
            "no label 'tow'",
            id="a label that the patched model lacks",
        ),
        pytest.param(
            patch("weak", "models/bare"), errors.InvalidField, "patch.sources", "no modules", id="nothing to patch with"
        ),
    ],
)
async def test_what_cannot_be_composed_is_refused_by_the_plan(
    request_: pb.ComposeModelRequest, error: type[errors.ModelFoundryError], field: str, says: str
) -> None:
    with pytest.raises(error) as caught:
        await plan(request_)
    assert caught.value.field == field or not field
    assert says in caught.value.message
    assert caught.value.hint


async def test_a_composition_is_judged_by_the_models_in_it() -> None:
    of_b = Composition(
        name=full("compositions/of-b"),
        task=CompositionTask.MORE_ACCURATE,
        members=tuple(CompositionMember(label=n, source=full(f"modules/b-{n}"), source_label=n) for n in LOW),
        labels=LOW,
        input=InputSpec(1, 8, 8, (0.0,), (1.0,)),
        datasets=(full("datasets/low"),),
        record=CompositionRecord(strategy="per_label"),
    )
    with pytest.raises(errors.InvalidField, match=r"b-0 normalises images with mean 0\.6") as caught:
        await plan(more_accurate("models/a", "compositions/of-b"), of_b)
    assert caught.value.field == "more_accurate.sources[1]"
    assert "allow_different_preprocessing" in caught.value.hint


async def test_a_module_whose_base_is_gone_is_not_composed() -> None:
    with pytest.raises(errors.NotFound, match=r"models/doomed, the base model of .*doomed-0, is gone") as caught:
        await plan(patch("a", "modules/doomed-0", labels=["0"]), module("doomed", "0"))
    assert caught.value.field == "patch.sources[0]"


async def test_a_plan_names_candidates_images_and_what_to_compare_with() -> None:
    planned = await plan(more_accurate("models/a", "models/near"))
    assert [(each.label, each.source) for each in planned.candidates] == [
        *((label, full(f"modules/a-{label}")) for label in LOW),
        ("0", full("modules/near-0")),
    ]
    assert {each.dataset for each in planned.images} == {full("datasets/low")}
    assert [each.label for each in planned.images] == list(planned.labels) == list(LOW)
    assert planned.rivals == (full("models/a"), full("models/near"))
    assert planned.composition_id == f"composed-a-{planned.cache_key[:8]}"


async def test_what_is_only_permitted_changes_no_plan_and_what_is_asked_does() -> None:
    key = (await plan(more_accurate("models/a", "models/near"))).cache_key
    assert (await plan(more_accurate("models/a", "models/near", force=True, **ANYHOW))).cache_key == key
    assert (await plan(more_accurate("models/near", "models/a"))).cache_key != key
    assert (await plan(more_accurate("models/a", "models/near", calibrate=True))).cache_key != key
