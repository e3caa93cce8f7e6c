"""The algorithms that models are decomposed by, a room for each, and the one list of them."""

from __future__ import annotations

from typing import Any, Final

from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.magnitude import MAGNITUDE
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.specialise import SPECIALISE

ALGORITHMS: Final[tuple[Algorithm[Any], ...]] = (SEAM, GRADSPLITTER, MAGNITUDE, SPECIALISE)
"""All of them. The first is the one that is meant where none is named."""


def find_algorithm(name: str) -> Algorithm[Any] | None:
    """The algorithm of that name, if this version knows it."""
    return next((algorithm for algorithm in ALGORITHMS if algorithm.name == name), None)
