"""SeaM: re-engineering a network into modules by searching masks over its weights (Qi et al., ICSE 2023)."""

from modelfoundry.core.seam.result import EpochRecord, SearchResult
from modelfoundry.core.seam.search import search
from modelfoundry.core.seam.selection import Selection, Verdict
from modelfoundry.core.seam.settings import RECIPES, Recipe, SeamSettings, resolve_recipe

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
