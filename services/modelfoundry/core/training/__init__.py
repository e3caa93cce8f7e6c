"""Training classifiers from scratch, for those who have none to take apart yet."""

from modelfoundry.core.training.loop import EpochRecord, TrainingResult, train
from modelfoundry.core.training.recipes import RECIPES, Recipe, ResolvedRecipe, resolve_recipe
from modelfoundry.core.training.settings import TrainingSettings

__all__ = [
    "RECIPES",
    "EpochRecord",
    "Recipe",
    "ResolvedRecipe",
    "TrainingResult",
    "TrainingSettings",
    "resolve_recipe",
    "train",
]
