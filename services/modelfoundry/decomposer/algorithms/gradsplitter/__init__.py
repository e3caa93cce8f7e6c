"""GradSplitter: decomposing a convolutional network into kernel-level modules, all at once (Qi et al., TOSEM 2023)."""

from modelfoundry.decomposer.algorithms.gradsplitter.result import EpochRecord, SplitModule, SplitResult
from modelfoundry.decomposer.algorithms.gradsplitter.search import SplitTask, split
from modelfoundry.decomposer.algorithms.gradsplitter.selection import Selection, Verdict
from modelfoundry.decomposer.algorithms.gradsplitter.settings import (
    RECIPES,
    GradSplitterSettings,
    Recipe,
    resolve_recipe,
)

__all__ = [
    "RECIPES",
    "EpochRecord",
    "GradSplitterSettings",
    "Recipe",
    "Selection",
    "SplitModule",
    "SplitResult",
    "SplitTask",
    "Verdict",
    "resolve_recipe",
    "split",
]
