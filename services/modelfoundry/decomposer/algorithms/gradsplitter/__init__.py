"""GradSplitter: decomposing a convolutional network into kernel-level modules, all at once (Qi et al., TOSEM 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.settings import DistilledSplitSettings
from modelfoundry.decomposer.algorithms.gradsplitter.recipes import RECIPES
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem

if TYPE_CHECKING:
    from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
    from modelfoundry.values.architectures import Architecture, InputSpec


def _search(task: SearchTask[GradSplitterSettings | DistilledSplitSettings]) -> SearchResult[FoundModule]:
    from modelfoundry.decomposer.algorithms.gradsplitter.decompose import decompose_jointly
    from modelfoundry.decomposer.algorithms.gradsplitter.distilled.module import split_distilled

    if isinstance(task.settings, DistilledSplitSettings):
        return split_distilled(cast("SearchTask[DistilledSplitSettings]", task))
    return decompose_jointly(cast("SearchTask[GradSplitterSettings]", task))


def _check_model(architecture: Architecture, labels: int, input_spec: InputSpec) -> None:
    from modelfoundry.decomposer.algorithms.gradsplitter.decompose import kernels_of

    kernels_of(architecture, labels, input_spec)


GRADSPLITTER: Final = Algorithm(
    name="gradsplitter",
    version="1",
    title="GradSplitter",
    summary="Searches the kernels that each label needs, all labels of a model at once.",
    paper="Qi et al., Reusing Convolutional Neural Network Models through Modularization and Composition, TOSEM 2023",
    problems=(BinaryProblem, OpenSetProblem),
    joint=True,
    recipes=RECIPES,
    search=_search,
    check_model=_check_model,
)
