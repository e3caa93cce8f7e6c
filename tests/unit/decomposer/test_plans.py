"""What a decomposition will do, from metadata alone: no service, no network that is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asked_decompositions import every_algorithm, request

from modelfoundry import errors
from modelfoundry.decomposer.algorithms import ALGORITHMS
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.problems import LabelGroups
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.plan import DecompositionPlan, DecompositionRequest, plan_decomposition
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.computing import TrainingSubset, ValidationSplit
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem
from modelfoundry.values.resources import BlobRef, Dataset, Model, TrainingRecord


def without(dataset: Dataset, label: str) -> Dataset:
    return replace(dataset, labels=tuple(one for one in dataset.labels if one != label))


def few_of(dataset: Dataset, place: int, count: int) -> Dataset:
    train, test = dataset.splits
    counts = tuple(count if each == place else 100 for each in range(10))
    return replace(dataset, splits=(replace(train, label_counts=counts), test))


PATH = "gradsplitter.label_groups"


@pytest.mark.parametrize(
    ("asked", "error", "field"),
    [
        (request(wanted=BinaryProblem("horse")), errors.UnknownLabel, "seam.problem.binary.label"),
        (request(wanted=MultiClassProblem(("1",))), errors.InvalidField, "seam.problem.multi_class.labels"),
        (request(wanted=OpenSetProblem(("1", "1"))), errors.InvalidField, "seam.problem.open_set.labels[1]"),
        (request(GRADSPLITTER, LabelGroups((("3", "x"),))), errors.UnknownLabel, f"{PATH}[0].labels[1]"),
        (request(GRADSPLITTER, LabelGroups((("3",), ("4", "3")))), errors.InvalidField, f"{PATH}[1].labels[1]"),
        (request(GRADSPLITTER, LabelGroups(((),))), errors.InvalidField, f"{PATH}[0].labels"),
        (request(GRADSPLITTER, module_id="m" * 41), errors.InvalidField, "module_id"),
    ],
    ids=["unknown", "too few", "twice", "unknown in a group", "in two groups", "empty group", "long beginning"],
)
def test_what_cannot_be_meant_is_refused_by_its_path(
    model: Model, dataset: Dataset, asked: DecompositionRequest, error: type[errors.ModelFoundryError], field: str
) -> None:
    with pytest.raises(error) as caught:
        plan_decomposition(asked, model, dataset)
    assert caught.value.field == field
    assert caught.value.hint


@every_algorithm
@pytest.mark.parametrize(
    ("validation", "error", "field"),
    [
        (ValidationSplit(source_split="test"), errors.TestSplitSealed, "validation.source_split"),
        (ValidationSplit(source_split=" Test"), errors.TestSplitSealed, "validation.source_split"),
        (ValidationSplit(source_split="trian"), errors.InvalidField, "validation.source_split"),
        (ValidationSplit(fraction=0.6), errors.InvalidField, "validation.fraction"),
        (ValidationSplit(fraction=float("nan")), errors.InvalidField, "validation.fraction"),
    ],
    ids=["test", "spelt otherwise", "unknown", "too much", "no number"],
)
def test_the_test_split_is_sealed_and_a_cut_is_a_share(
    model: Model,
    dataset: Dataset,
    algorithm: Algorithm[Any],
    validation: ValidationSplit,
    error: type[errors.ModelFoundryError],
    field: str,
) -> None:
    with pytest.raises(error) as caught:
        plan_decomposition(request(algorithm, validation=validation), model, dataset)
    assert caught.value.field == field


@every_algorithm
def test_a_data_set_that_does_not_fit_is_refused(model: Model, dataset: Dataset, algorithm: Algorithm[Any]) -> None:
    for other in (replace(dataset, channels=3), replace(dataset, height=9), without(dataset, "3")):
        with pytest.raises(errors.DatasetMismatch) as caught:
            plan_decomposition(request(algorithm), model, other)
        assert caught.value.field == "dataset"


def test_one_module_needs_the_labels_of_its_problem_and_a_joint_search_all(model: Model, dataset: Dataset) -> None:
    plan_decomposition(request(SEAM), model, without(dataset, "4"))
    plan_decomposition(request(SEAM), model, few_of(dataset, 4, 1))
    with pytest.raises(errors.DatasetMismatch, match="'4'"):
        plan_decomposition(request(GRADSPLITTER), model, without(dataset, "4"))
    with pytest.raises(errors.DatasetMismatch, match="has 1 images of '4'"):
        plan_decomposition(request(GRADSPLITTER), model, few_of(dataset, 4, 1))


@pytest.mark.parametrize(
    ("images", "fraction", "said"),
    [(21, 0.1, "19 training and 2 validation"), (100, 0.04, "96 training and 4 validation")],
    ids=["training", "validation"],
)
def test_a_distillation_needs_more_images_of_its_label_than_the_papers_search(
    model: Model, dataset: Dataset, images: int, fraction: float, said: str
) -> None:
    few, validation = few_of(dataset, 3, images), ValidationSplit(fraction=fraction)
    distilled = request(SEAM, settings=SEAM.resolve("distilled", {}), validation=validation)
    plan_decomposition(request(SEAM, settings=SEAM.resolve("paper", {}), validation=validation), model, few)
    with pytest.raises(errors.DatasetMismatch, match=f"{said} images of '3'") as caught:
        plan_decomposition(distilled, model, few)
    assert caught.value.field == "dataset"


@every_algorithm
def test_tensors_that_the_architecture_lacks_are_refused(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any]
) -> None:
    with pytest.raises(errors.WeightsMismatch):
        plan_decomposition(request(algorithm), replace(model, tensors=model.tensors[1:]), dataset)


def test_groups_stand_where_their_first_label_stands_and_other_labels_by_themselves(
    model: Model, dataset: Dataset
) -> None:
    plan = plan_decomposition(request(GRADSPLITTER, LabelGroups((("8", "3"), ("5",)))), model, dataset)
    assert [problem.labels for problem in plan.problems] == [
        *(("0",), ("1",), ("2",)),
        ("8", "3"),
        *(("4",), ("5",), ("6",), ("7",), ("9",)),
    ]
    assert plan.labels == model.labels
    assert plan.recorded_settings["label_groups"][3] == ["8", "3"]
    assert "label_groups" not in plan_decomposition(request(SEAM), model, dataset).recorded_settings


def planned_ids(plan: DecompositionPlan) -> list[str]:
    return [module.module_id for module in plan.modules]


def test_ids_are_readable_different_and_never_too_long(model: Model, dataset: Dataset) -> None:
    names = ("Red Deer!", "red deer?", "鹿", "é", "x" * 90, *"56789")
    model, dataset = replace(model, labels=names), replace(dataset, labels=names)
    model = replace(model, name="projects/p/models/" + "m" * 60)
    plan = plan_decomposition(request(GRADSPLITTER), model, dataset)
    key, ids = plan.cache_key[:8], planned_ids(plan)
    begin = "m" * 24
    assert ids[:4] == [f"{begin}-red-deer-{key}", f"{begin}-red-deer-1-{key}", f"{begin}-2-{key}", f"{begin}-3-{key}"]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 63
    begun = plan_decomposition(request(GRADSPLITTER, module_id="mine"), model, dataset)
    assert planned_ids(begun)[:2] == ["mine-red-deer", "mine-red-deer-1"]
    one = plan_decomposition(request(SEAM, BinaryProblem("鹿")), model, dataset)
    assert planned_ids(one) == [f"{begin}-{one.cache_key[:8]}"]
    assert planned_ids(plan_decomposition(request(SEAM, BinaryProblem("鹿"), module_id="deer"), model, dataset)) == [
        "deer"
    ]


Change = Callable[[DecompositionRequest, Model, Dataset], tuple[DecompositionRequest, Model, Dataset]]


def _other_setting(asked: DecompositionRequest) -> DecompositionRequest:
    return replace(asked, settings=asked.algorithm.resolve("", {"batch_size": 32}))


def _other_wanted(asked: DecompositionRequest) -> DecompositionRequest:
    return replace(asked, wanted=LabelGroups((("3", "8"),)) if asked.algorithm.joint else BinaryProblem("4"))


def _weak(model: Model, dataset: Dataset, seed: int = 3) -> Model:
    subset = TrainingSubset(concentration=1.0, seed=seed)
    return replace(model, training=TrainingRecord(recipe="weak", subset=subset, dataset_digest=dataset.digest))


CHANGES: dict[str, Change] = {
    "settings": lambda r, m, d: (_other_setting(r), m, d),
    "what is wanted": lambda r, m, d: (_other_wanted(r), m, d),
    "seed": lambda r, m, d: (replace(r, seed=1), m, d),
    "device": lambda r, m, d: (replace(r, device="auto"), m, d),
    "project": lambda r, m, d: (replace(r, parent="projects/q"), m, d),
    "id": lambda r, m, d: (replace(r, module_id="mine"), m, d),
    "share of validation": lambda r, m, d: (replace(r, validation=ValidationSplit(fraction=0.2)), m, d),
    "seed of validation": lambda r, m, d: (replace(r, validation=ValidationSplit(seed=1)), m, d),
    "weights": lambda r, m, d: (r, replace(m, weights=BlobRef(f"sha256:{'e' * 64}")), d),
    "mean": lambda r, m, d: (r, replace(m, input=replace(m.input, mean=(0.3,))), d),
    "images": lambda r, m, d: (r, m, replace(d, digest=f"sha256:{'e' * 64}")),
    "labels of the model": lambda r, m, d: (r, replace(m, labels=(*m.labels[1:], "0")), d),
    "a part of the data": lambda r, m, d: (r, _weak(m, d), d),
    "another part of the data": lambda r, m, d: (r, _weak(m, d, seed=4), d),
}
SAME: dict[str, Change] = {
    "force": lambda r, m, d: (replace(r, force=True), m, d),
    "names": lambda r, m, d: (replace(r, model="x", dataset="y"), replace(m, name="a/x"), replace(d, name="a/y")),
    "what people read": lambda r, m, d: (r, replace(m, description="z", tags={"a": "b"}), replace(d, license="MIT")),
    "media type": lambda r, m, d: (r, replace(m, weights=replace(m.weights, media_type="a/b", size_bytes=3)), d),
    "training on other data": lambda r, m, d: (r, _weak(m, replace(d, digest="sha256:other")), d),
}


@every_algorithm
def test_the_key_changes_with_every_fact_that_masks_depend_on(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any]
) -> None:
    asked = request(algorithm)
    keys = {"as it is": plan_decomposition(asked, model, dataset).cache_key}
    for what, change in CHANGES.items():
        keys[what] = plan_decomposition(*change(asked, model, dataset)).cache_key
    for other in ALGORITHMS:
        keys[other.name] = plan_decomposition(request(other), model, dataset).cache_key
    del keys[algorithm.name]
    newer = replace(algorithm, version="next")
    keys["version"] = plan_decomposition(replace(asked, algorithm=newer), model, dataset).cache_key
    assert len(set(keys.values())) == len(keys)


@every_algorithm
@pytest.mark.parametrize("change", SAME.values(), ids=SAME.keys())
def test_the_key_changes_with_nothing_else(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any], change: Change
) -> None:
    asked = request(algorithm)
    before = plan_decomposition(asked, model, dataset).cache_key
    assert plan_decomposition(*change(asked, model, dataset)).cache_key == before


def test_the_architectures_parameters_are_part_of_the_key(model: Model, dataset: Dataset) -> None:
    before = plan_decomposition(request(), model, dataset).cache_key
    spelt = replace(model, architecture=Architecture("zoo:digits_cnn", {}))
    assert plan_decomposition(request(), spelt, dataset).cache_key == before


def test_of_the_models_training_data_the_same_part_is_used(model: Model, dataset: Dataset) -> None:
    weak = _weak(model, dataset)
    assert plan_decomposition(request(), model, dataset).subset is None
    assert plan_decomposition(request(), weak, dataset).subset == TrainingSubset(concentration=1.0, seed=3)
    cut_otherwise = request(validation=ValidationSplit(seed=1))
    assert plan_decomposition(cut_otherwise, weak, dataset).subset is None
