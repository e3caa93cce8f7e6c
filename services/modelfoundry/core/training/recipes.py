"""Recipes of training: good settings with a name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelfoundry.core.training.settings import TrainingSettings
from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.values.computing import DEFAULT_CONCENTRATION, TrainingSubset


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings with a name, and what they are for."""

    name: str
    settings: TrainingSettings
    description: str
    milestone_percents: tuple[int, ...] = ()
    """Milestones as shares of the epochs. Empty: as `TrainingSettings` has it."""
    subset: TrainingSubset | None = None
    """The part of the training data to train on. None: all of it."""


DEFAULT: Final = "default"
RECIPES: Final[Mapping[str, Recipe]] = {
    DEFAULT: Recipe(
        name=DEFAULT,
        settings=TrainingSettings(),
        description="A good start for small networks: all of the training data, 30 epochs, no augmentation.",
    ),
    "weak": Recipe(
        name="weak",
        settings=TrainingSettings(epochs=200, lr=0.01, milestones=(60, 120), augmentation="crop_flip"),
        description=(
            "Weak models that differ from each other, for composing (GradSplitter, section 4.1): every seed trains on "
            "its own imbalanced part of the training data. Take concentration 0.5 for SVHN. Validation data is cut "
            "from all of the training data, where the published code cuts it from the part."
        ),
        milestone_percents=(30, 60),
        subset=TrainingSubset(concentration=DEFAULT_CONCENTRATION, seed=0),
    ),
}


@dataclass(frozen=True, slots=True)
class ResolvedRecipe:
    """Everything that a training is told, with every setting filled in."""

    name: str
    settings: TrainingSettings
    subset: TrainingSubset | None


def resolve_recipe(
    name: str, overrides: Mapping[str, Any], subset: Mapping[str, Any] | None, *, seed: int
) -> ResolvedRecipe:
    """A recipe with some of its settings replaced. Milestones that are not given follow the number of epochs.

    Args:
        name: Name of the recipe; empty means `default`.
        overrides: Field of `TrainingSettings` to value.
        subset: Field of `TrainingSubset` to value. None: the recipe's own subset.
        seed: Seed of the subset where none is given.

    Raises:
        InvalidField: there is no such recipe, or a value is out of range.
    """
    recipe = _find(name or DEFAULT)
    epochs = overrides.get("epochs", recipe.settings.epochs)
    milestones = sorted({epochs * percent // 100 for percent in recipe.milestone_percents} - {0})
    settings = dataclasses.replace(recipe.settings, **{"milestones": tuple(milestones), **overrides})
    base = recipe.subset
    if subset is not None:
        base = dataclasses.replace(base or TrainingSubset(concentration=DEFAULT_CONCENTRATION), **subset)
    if base is not None and "seed" not in (subset or {}):
        base = dataclasses.replace(base, seed=seed)
    return ResolvedRecipe(recipe.name, settings, None if base is None else base.checked())


def _find(name: str) -> Recipe:
    if name not in RECIPES:
        similar = near(name, RECIPES)
        raise InvalidField(
            f"recipe.recipe: there is no recipe {shortened(name)!r}",
            field="recipe.recipe",
            hint=f"did you mean {similar[0]}?" if similar else f"use one of {', '.join(RECIPES)}",
        )
    return RECIPES[name]
