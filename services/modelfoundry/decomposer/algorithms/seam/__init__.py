"""SeaM: re-engineering a network into modules by searching masks over its weights (Qi et al., ICSE 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.decomposer.algorithms.seam.recipes import RECIPES
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

if TYPE_CHECKING:
    from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask


def _search(task: SearchTask[SeamSettings | DistilledSettings]) -> SearchResult[FoundModule]:
    from modelfoundry.decomposer.algorithms.linear_head import posed_task
    from modelfoundry.decomposer.algorithms.seam.distilled.module import distil_module
    from modelfoundry.decomposer.algorithms.seam.search import search

    if isinstance(task.settings, DistilledSettings):
        return distil_module(cast("SearchTask[DistilledSettings]", task))
    return search(posed_task(cast("SearchTask[SeamSettings]", task)))


SEAM: Final = Algorithm(
    name="seam",
    version="1",
    title="SeaM",
    summary="Searches the weights that one problem needs.",
    paper="Qi et al., Reusing Deep Neural Network Models through Model Re-engineering, ICSE 2023",
    problems=(BinaryProblem, MultiClassProblem, OpenSetProblem),
    joint=False,
    recipes=RECIPES,
    search=_search,
)
