"""How SeaM searches, as data: settings, and recipes that name good ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from modelfoundry.core.batches import Augmentation
from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened

InitialMasks = Literal["ones"]
"""All 1: everything is kept at first."""


def _check(name: str, value: float, fits: bool, allowed: str) -> None:
    if not fits:
        raise InvalidField(
            f"seam.recipe.{name}: {value} is out of range", field=f"seam.recipe.{name}", hint=f"give {allowed}"
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidField(
            f"seam.recipe.{name}: {shortened(str(value))!r} is not one of {', '.join(choices)}",
            field=f"seam.recipe.{name}",
            hint=f"give one of {', '.join(choices)}",
        )


@dataclass(frozen=True, slots=True)
class SeamSettings:
    """All settings of a search. The defaults are the paper's (SeaM, Qi et al., ICSE 2023, section 4.1).

    Raises:
        InvalidField: a value is out of range; the path is `seam.recipe.<field>`.
    """

    recipe: str = "paper"
    """Name of the recipe that the settings come from."""
    initial_masks: InitialMasks = "ones"
    epochs: int = 300
    """At most; 1 to 10,000."""
    head_epoch_every: int = 5
    """Every so many epochs one trains the head alone, beginning with epoch 0. 0: never."""
    batch_size: int = 64
    """1 to 4096."""
    lr_head: float = 0.1
    """Adam's learning rate of the head, above 0."""
    lr_mask: float = 0.05
    """Adam's learning rate of the masks, above 0. The paper takes 0.01 to 0.12 by network."""
    alpha: float = 1.0
    """Weight of the retention term in the loss, 0 or more. The paper takes 1 to 2 by network."""
    patience: int = 0
    """Epochs below the base's accuracy, after it was once reached, until the search stops. 0: never."""
    augmentation: Augmentation = "crop_flip"

    def __post_init__(self) -> None:
        _check_choice("initial_masks", self.initial_masks, get_args(InitialMasks))
        _check_choice("augmentation", self.augmentation, get_args(Augmentation))
        _check("epochs", self.epochs, 1 <= self.epochs <= 10_000, "1 to 10,000")
        # With 1, no epoch would ever train the masks.
        _check(
            "head_epoch_every",
            self.head_epoch_every,
            self.head_epoch_every == 0 or 2 <= self.head_epoch_every <= 10_000,
            "0, or 2 to 10,000",
        )
        _check("batch_size", self.batch_size, 1 <= self.batch_size <= 4096, "1 to 4096")
        _check("lr_head", self.lr_head, 0 < self.lr_head < math.inf, "a number above 0")
        _check("lr_mask", self.lr_mask, 0 < self.lr_mask < math.inf, "a number above 0")
        _check("alpha", self.alpha, 0 <= self.alpha < math.inf, "a number of 0 or more")
        _check("patience", self.patience, 0 <= self.patience <= 10_000, "0 to 10,000")

    def trains_masks(self, epoch: int) -> bool:
        """Whether an epoch (from 0) trains masks and head, or the head alone."""
        return self.head_epoch_every == 0 or epoch % self.head_epoch_every != 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings with a name, and what they are for."""

    settings: SeamSettings
    description: str


RECIPES: Final[Mapping[str, Recipe]] = {
    "paper": Recipe(
        settings=SeamSettings(),
        description=(
            "SeaM as published (Qi et al., ICSE 2023): masks begin with everything kept, every fifth epoch trains the "
            "head alone, 300 epochs. Adapt lr_mask (0.01 to 0.12) and alpha (1 to 2) to the network: higher values "
            "drop more weights sooner. Selection uses validation data, where the published code used test data."
        ),
    ),
}


def resolve_recipe(name: str, overrides: Mapping[str, Any]) -> SeamSettings:
    """The settings of a recipe with some of them replaced.

    Args:
        name: Name of the recipe; empty means `paper`.
        overrides: Field of `SeamSettings` to value.

    Raises:
        InvalidField: there is no such recipe or setting, or a value is out of range.
    """
    name = name or "paper"
    if name not in RECIPES:
        similar = near(name, RECIPES)
        raise InvalidField(
            f"seam.recipe.recipe: there is no recipe {shortened(name)!r}",
            field="seam.recipe.recipe",
            hint=f"did you mean {similar[0]}?" if similar else f"use one of {', '.join(RECIPES)}",
        )
    settable = {field.name for field in dataclasses.fields(SeamSettings)} - {"recipe"}
    for key in overrides:
        if key not in settable:
            raise InvalidField(
                f"seam.recipe.{shortened(key)}: there is no such setting",
                field=f"seam.recipe.{shortened(key)}",
                hint=f"use one of {', '.join(near(key, settable) or sorted(settable))}",
            )
    return dataclasses.replace(RECIPES[name].settings, **overrides)
