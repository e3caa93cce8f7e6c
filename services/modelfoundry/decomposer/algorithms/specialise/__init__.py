"""Specialising: a really smaller network for some labels, cut out of the base and distilled from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.specialise.settings import RECIPES, SpecialiseSettings
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

if TYPE_CHECKING:
    from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask


def _search(task: SearchTask[SpecialiseSettings]) -> SearchResult[FoundModule]:
    from modelfoundry.decomposer.algorithms.specialise.module import specialise

    return specialise(task)


SPECIALISE: Final = Algorithm(
    name="specialise",
    version="2",
    title="Specialise",
    summary="Makes a smaller network of its own for some labels, within budgets.",
    paper=(
        "Channels by Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019; refitted after He "
        "et al., Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017; taught after Hinton et al., "
        "Distilling the Knowledge in a Neural Network, 2015"
    ),
    problems=(BinaryProblem, MultiClassProblem, OpenSetProblem),
    joint=False,
    own_command=True,
    recipes=RECIPES,
    search=_search,
)
