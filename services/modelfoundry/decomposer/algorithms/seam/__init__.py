"""SeaM: re-engineering a network into modules by searching masks over its weights (Qi et al., ICSE 2023)."""

from modelfoundry.decomposer.algorithms.seam.result import EpochRecord, SearchResult
from modelfoundry.decomposer.algorithms.seam.search import search
from modelfoundry.decomposer.algorithms.seam.selection import Selection, Verdict
from modelfoundry.decomposer.algorithms.seam.settings import RECIPES, Recipe, SeamSettings, resolve_recipe

__all__ = [
    "RECIPES",
    "EpochRecord",
    "Recipe",
    "SeamSettings",
    "SearchResult",
    "Selection",
    "Verdict",
    "resolve_recipe",
    "search",
]
