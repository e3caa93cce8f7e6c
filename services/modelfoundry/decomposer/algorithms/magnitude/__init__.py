"""Magnitude pruning to a given density with a trained head: the baseline that searches are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.magnitude.settings import RECIPES, MagnitudeSettings
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

if TYPE_CHECKING:
    from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask


def _search(task: SearchTask[MagnitudeSettings]) -> SearchResult[FoundModule]:
    from modelfoundry.decomposer.algorithms.linear_head import posed_task
    from modelfoundry.decomposer.algorithms.magnitude.search import search

    return search(posed_task(task))


MAGNITUDE: Final = Algorithm(
    name="magnitude",
    version="1",
    title="Magnitude pruning",
    summary="Keeps the weights of the greatest size, whatever the problem is: the baseline.",
    paper="Han et al., Learning both Weights and Connections for Efficient Neural Networks, NeurIPS 2015",
    problems=(BinaryProblem, MultiClassProblem, OpenSetProblem),
    joint=False,
    recipes=RECIPES,
    search=_search,
)
