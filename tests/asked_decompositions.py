"""Requests for decompositions, as the decomposer plans them."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry.decomposer.algorithms import ALGORITHMS
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.problems import LabelGroups, Wanted
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.plan import DecompositionRequest
from modelfoundry.values.computing import ValidationSplit
from modelfoundry.values.problems import BinaryProblem

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.name)


def request(algorithm: Algorithm[Any] = SEAM, wanted: Wanted | None = None, **given: Any) -> DecompositionRequest:
    standard = LabelGroups(()) if algorithm.joint else BinaryProblem("3")
    return DecompositionRequest(
        **{
            "parent": "projects/p",
            "model": "projects/p/models/digits-cnn",
            "dataset": "projects/p/datasets/digits",
            "algorithm": algorithm,
            "wanted": standard if wanted is None else wanted,
            "settings": algorithm.resolve("", {}),
            "validation": ValidationSplit(),
            "seed": 0,
            "device": "cpu",
            "module_id": "",
            "force": False,
            **given,
        }
    )
