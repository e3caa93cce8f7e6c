"""A record is a request that can be made again, and one that is not is refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asked_decompositions import every_algorithm, request

from modelfoundry import errors
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.problems import LabelGroups
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.plan import DecompositionRequest, plan_decomposition
from modelfoundry.decomposer.rebuild_plan import plan_rebuild
from modelfoundry.values.computing import Environment, TrainingSubset
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem
from modelfoundry.values.resources import BlobRef, Dataset, DecompositionRecord, Model, Module


def made(asked: DecompositionRequest, model: Model, dataset: Dataset, place: int = 0) -> Module:
    """A module as it is registered when a plan was carried out, its settings through JSON."""
    plan = plan_decomposition(asked, model, dataset)
    return Module(
        name=f"projects/p/modules/{plan.modules[place].module_id}",
        base_model=model.name,
        base_digest=model.weights.digest,
        problem=plan.modules[place].problem,
        artifact=BlobRef("sha256:" + "f" * 64),
        dataset=dataset.name,
        record=DecompositionRecord(
            algorithm=asked.algorithm.name,
            settings=json.loads(json.dumps(plan.recorded_settings).replace(".0,", ",")),
            seed=asked.seed,
            validation=asked.validation,
            dataset_digest=dataset.digest,
            environment=Environment(device="cpu", threads=3),
            subset=plan.subset,
        ),
    )


@every_algorithm
def test_a_record_is_asked_for_again_with_the_same_key(
    model: Model, dataset: Dataset, algorithm: Algorithm[Any]
) -> None:
    asked = request(algorithm, seed=4, settings=algorithm.resolve("", {"batch_size": 17}))
    plan = plan_rebuild(made(asked, model, dataset), model, dataset)
    assert plan.search.cache_key == plan_decomposition(asked, model, dataset).cache_key
    assert (plan.place, plan.threads) == (0, 3)
    kinds = {name: type(value) for name, value in asked.settings.record().items()}
    assert {name: type(value) for name, value in plan.search.request.settings.record().items()} == kinds


def test_a_module_of_a_joint_search_is_found_at_its_place(model: Model, dataset: Dataset) -> None:
    asked = request(GRADSPLITTER, LabelGroups((("3", "8"),)))
    module = made(asked, model, dataset, place=3)
    assert module.problem == OpenSetProblem(("3", "8"))
    plan = plan_rebuild(module, model, dataset)
    assert plan.place == 3
    assert plan.search.problems[3] == module.problem


def test_a_record_that_is_older_than_a_setting_means_what_was_done_then(model: Model, dataset: Dataset) -> None:
    module = made(request(SEAM, BinaryProblem("3")), model, dataset)
    settings = {name: value for name, value in module.record.settings.items() if name != "hard_negatives"}
    plan = plan_rebuild(replace(module, record=replace(module.record, settings=settings)), model, dataset)
    assert plan.search.request.settings.record() == {**SEAM.resolve("", {}).record(), "hard_negatives": 0.0}


def test_a_search_on_a_card_is_repeated_on_one(model: Model, dataset: Dataset) -> None:
    module = made(request(SEAM, MultiClassProblem(("1", "2"))), model, dataset)
    environment = Environment(device="cuda:NVIDIA H200")
    record = replace(module.record, environment=environment)
    assert plan_rebuild(replace(module, record=record), model, dataset).search.request.device == "cuda"


Damage = Callable[[DecompositionRecord], DecompositionRecord]
INCOMPLETE: dict[str, tuple[Damage, str]] = {
    "unknown algorithm": (lambda record: replace(record, algorithm="guessing"), "'guessing', which this version"),
    "a setting too many": (lambda record: replace(record, settings={**record.settings, "speed": 1}), "names 'speed'"),
    "a setting too few": (
        lambda record: replace(record, settings={k: v for k, v in record.settings.items() if k != "alpha"}),
        "does not name alpha",
    ),
    "another part of the data": (lambda record: replace(record, subset=TrainingSubset(seed=9)), "part of the training"),
}


@pytest.mark.parametrize(("damage", "why"), INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_a_record_that_does_not_say_enough_is_refused_with_the_reason(
    model: Model, dataset: Dataset, damage: Damage, why: str
) -> None:
    module = made(request(SEAM, settings=SEAM.resolve("paper", {})), model, dataset)
    with pytest.raises(errors.UnsupportedModel, match=why) as caught:
        plan_rebuild(replace(module, record=damage(module.record)), model, dataset)
    assert caught.value.field == "module"
    assert caught.value.hint


def test_a_joint_record_says_its_groups_and_a_module_is_one_of_them(model: Model, dataset: Dataset) -> None:
    module = made(request(GRADSPLITTER), model, dataset)
    settings = {name: value for name, value in module.record.settings.items() if name != "label_groups"}
    with pytest.raises(errors.UnsupportedModel, match="before the label groups"):
        plan_rebuild(replace(module, record=replace(module.record, settings=settings)), model, dataset)
    with pytest.raises(errors.UnsupportedModel, match="no group of its record"):
        plan_rebuild(replace(module, problem=OpenSetProblem(("1", "2"))), model, dataset)


def test_materials_are_those_of_the_record(model: Model, dataset: Dataset) -> None:
    module = made(request(SEAM), model, dataset)
    with pytest.raises(errors.WeightsMismatch):
        plan_rebuild(module, replace(model, weights=BlobRef("sha256:" + "e" * 64)), dataset)
    with pytest.raises(errors.DatasetMismatch):
        plan_rebuild(module, model, replace(dataset, digest="sha256:" + "e" * 64))
