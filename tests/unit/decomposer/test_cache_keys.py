"""Keys of equal work, letter for letter: registries find what they made by them, so that they never change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.problems import LabelGroups
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.plan import DecompositionRequest, plan_decomposition
from modelfoundry.values.computing import TrainingSubset, ValidationSplit
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem
from modelfoundry.values.resources import Dataset, Model, TrainingRecord

COMMON: dict[str, Any] = {
    "parent": "projects/p",
    "model": "projects/p/models/digits-cnn",
    "dataset": "projects/p/datasets/digits",
    "validation": ValidationSplit(),
    "seed": 7,
    "device": "cpu",
    "module_id": "",
    "force": False,
}


def of_the_weak(model: Model, dataset: Dataset) -> Model:
    """The same model, trained on an imbalanced part."""
    subset = TrainingSubset(concentration=1.0, seed=3)
    return replace(model, training=TrainingRecord(recipe="weak", subset=subset, dataset_digest=dataset.digest))


KEYS = [
    (BinaryProblem("3"), False, "eb9cb31fb709b83c5e74c9809c7aeefd44e4049e2178ad5ab528a70b622f8249"),
    (MultiClassProblem(("8", "1")), False, "c59a918704b802937d068f7e56f8e97009e434f1de6622afb809a49eec0de6ac"),
    (OpenSetProblem(("8", "1")), False, "983bc60b29a438360d54a8174c9ad047e478fa0d96e6a6fea0361a089e634f44"),
    (BinaryProblem("3"), True, "d7a19f52b28e69c957ca6ca1360f39028ca1729b5b93a758b2b441792d35b3c4"),
    (MultiClassProblem(("8", "1")), True, "5910ea6c154074be1774de8cb8415dc155ca990d069555e1be7a7dd085e7fe6f"),
    (OpenSetProblem(("8", "1")), True, "08d8006cc7a666a447868b3e40afa8e50d064828433f1e2230e0adbada70b978"),
]


@pytest.mark.parametrize(("problem", "weak", "key"), KEYS, ids=lambda value: type(value).__name__)
def test_seam_keys_stay(model: Model, dataset: Dataset, problem: Problem, weak: bool, key: str) -> None:
    settings = SEAM.resolve("paper", {"epochs": 8, "lr_mask": 0.2})
    request = DecompositionRequest(algorithm=SEAM, wanted=problem, settings=settings, **COMMON)
    plan = plan_decomposition(request, of_the_weak(model, dataset) if weak else model, dataset)
    assert plan.cache_key == key
    assert [module.module_id for module in plan.modules] == [f"digits-cnn-{'-'.join(problem.labels)}-{key[:8]}"]


@pytest.mark.parametrize(
    ("weak", "key"),
    [
        (False, "79cf37b99ca35d270127c71d64cf2f8b648c41b6cd6d53c8d598f15b630c2c6a"),
        (True, "28f998d082009dde042c025286411c27ce988b1d1aeebc520902ce6a5158e0d0"),
    ],
    ids=["all of the data", "a part of the data"],
)
def test_gradsplitter_keys_stay(model: Model, dataset: Dataset, weak: bool, key: str) -> None:
    settings = GRADSPLITTER.resolve("paper", {"cycles": 1})
    groups = LabelGroups((("3", "8"), ("7",)))
    request = DecompositionRequest(algorithm=GRADSPLITTER, wanted=groups, settings=settings, **COMMON)
    plan = plan_decomposition(request, of_the_weak(model, dataset) if weak else model, dataset)
    assert plan.cache_key == key
    words = ("0", "1", "2", "3-8", "4", "5", "6", "7", "9")
    assert [module.module_id for module in plan.modules] == [f"digits-cnn-{word}-{key[:8]}" for word in words]
