"""A split that the caller names for fitting and choosing: refused where it was trained on, recorded, and repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from asked_decompositions import every_algorithm, request

from modelfoundry import errors
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.plan import plan_decomposition
from modelfoundry.decomposer.rebuild_plan import plan_rebuild
from modelfoundry.values.computing import Environment
from modelfoundry.values.resources import (
    BlobRef,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    Model,
    Module,
    TrainingRecord,
)


def with_fresh(dataset: Dataset, counts: tuple[int, ...] = (40,) * 10) -> Dataset:
    """The data set with one split more."""
    fresh = DatasetSplit(
        split="fresh", content=BlobRef(f"sha256:{'e' * 64}"), sample_count=sum(counts), label_counts=counts
    )
    return replace(dataset, splits=(*dataset.splits, fresh))


@every_algorithm
@pytest.mark.parametrize(
    ("split", "error"),
    [
        ("test", errors.TestSplitSealed),
        (" Test", errors.TestSplitSealed),
        ("frsh", errors.InvalidField),
        ("train", errors.InvalidField),
        ("x" * 100_000, errors.InvalidField),
    ],
    ids=["test", "spelt otherwise", "unknown", "trained on", "long"],
)
def test_a_split_that_must_not_be_fitted_on_is_refused(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any], split: str, error: type[errors.ModelFoundryError]
) -> None:
    with pytest.raises(error) as caught:
        plan_decomposition(request(algorithm, calibration_split=split), model, with_fresh(dataset))
    assert caught.value.field == "calibration_split"
    assert caught.value.hint
    assert len(caught.value.message) < 400


def test_a_split_that_the_model_says_it_was_trained_on_is_refused(model: Model, dataset: Dataset) -> None:
    dataset = with_fresh(dataset)
    record = TrainingRecord(recipe="r", dataset_digest=dataset.digest, validation=request(SEAM).validation)
    trained = replace(model, training=replace(record, validation=replace(record.validation, source_split="fresh")))
    with pytest.raises(errors.InvalidField, match="the model is trained on split 'fresh'"):
        plan_decomposition(request(SEAM, calibration_split="fresh"), trained, dataset)
    elsewhere = replace(trained, training=replace(trained.training, dataset_digest="sha256:" + "0" * 64))
    plan_decomposition(request(SEAM, calibration_split="fresh"), elsewhere, dataset)


@every_algorithm
def test_it_needs_images_of_the_labels(model: Model, dataset: Dataset, algorithm: Algorithm[Any]) -> None:
    lacking = with_fresh(dataset, tuple(0 if place == 3 else 9 for place in range(10)))
    with pytest.raises(errors.DatasetMismatch, match="split 'fresh' of projects/p/datasets/digits has no image of '3'"):
        plan_decomposition(request(algorithm, calibration_split="fresh"), model, lacking)


def test_a_threshold_is_fitted_on_as_many_images_of_it_as_of_a_cut(model: Model, dataset: Dataset) -> None:
    distilled = SEAM.resolve("distilled", {})
    few = with_fresh(dataset, (4,) * 10)
    with pytest.raises(errors.DatasetMismatch, match="90 training and 4 validation images of '3'"):
        plan_decomposition(request(SEAM, settings=distilled, calibration_split="fresh"), model, few)
    plan_decomposition(request(SEAM, settings=distilled, calibration_split="fresh"), model, with_fresh(dataset))


@every_algorithm
def test_what_is_fitted_on_another_split_is_other_work(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any]
) -> None:
    dataset = with_fresh(dataset)
    cut, named = (
        plan_decomposition(request(algorithm, calibration_split=split), model, dataset) for split in ("", "fresh")
    )
    assert cut.cache_key != named.cache_key


@every_algorithm
def test_a_record_is_asked_for_again_on_the_same_split(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any]
) -> None:
    dataset = with_fresh(dataset)
    plan = plan_decomposition(request(algorithm, calibration_split="fresh"), model, dataset)
    module = Module(
        name="projects/p/modules/m",
        base_model=model.name,
        base_digest=model.weights.digest,
        problem=plan.modules[0].problem,
        artifact=BlobRef("sha256:" + "f" * 64),
        dataset=dataset.name,
        record=DecompositionRecord(
            algorithm=algorithm.name,
            settings=plan.recorded_settings,
            calibration_split="fresh",
            dataset_digest=dataset.digest,
            environment=Environment(device="cpu"),
        ),
    )
    assert plan_rebuild(module, model, dataset).search.cache_key == plan.cache_key


@pytest.mark.parametrize(
    ("epochs", "split", "compares"),
    [(0, "", False), (8, "", True), (0, "fresh", True)],
    ids=["none", "epochs", "named"],
)
def test_a_base_is_compared_with_only_where_that_says_something(epochs: int, split: str, compares: bool) -> None:
    assert DecompositionRecord(algorithm="a", epochs_run=epochs, calibration_split=split).compares is compares
