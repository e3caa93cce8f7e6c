"""GradSplitter: decomposing a convolutional network into kernel-level modules, all at once (Qi et al., TOSEM 2023)."""

from modelfoundry.core.gradsplitter.result import EpochRecord, SplitModule, SplitResult
from modelfoundry.core.gradsplitter.search import SplitTask, split
from modelfoundry.core.gradsplitter.selection import Selection, Verdict
from modelfoundry.core.gradsplitter.settings import RECIPES, GradSplitterSettings, Recipe, resolve_recipe

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
