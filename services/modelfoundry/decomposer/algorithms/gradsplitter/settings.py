"""How GradSplitter searches, as data: settings, and recipes that name good ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened

_PATH: Final = "gradsplitter.recipe"


def _check(name: str, value: float, fits: bool, allowed: str) -> None:
    if not fits:
        raise InvalidField(f"{_PATH}.{name}: {value} is out of range", field=f"{_PATH}.{name}", hint=f"give {allowed}")


@dataclass(frozen=True, slots=True)
class GradSplitterSettings:
    """All settings of a search. The defaults are the paper's (GradSplitter, Qi et al., TOSEM 2023, section 4.1).

    The heads are trained alone for `warmup_epochs`; then come `cycles` of `mask_epochs` that train masks and heads and
    `head_epochs` that train the heads alone. Every change of what is trained begins with a new Adam.

    Raises:
        InvalidField: a value is out of range; the path is `gradsplitter.recipe.<field>`.
    """

    recipe: str = "paper"
    """Name of the recipe that the settings come from."""
    warmup_epochs: int = 5
    """Epochs of the heads alone before the first cycle; 0 to 10,000."""
    cycles: int = 20
    """1 to 10,000."""
    mask_epochs: int = 5
    """Epochs of masks and heads at the beginning of a cycle; 1 to 10,000."""
    head_epochs: int = 2
    """Epochs of the heads alone at the end of a cycle; 0 to 10,000."""
    batch_size: int = 64
    """1 to 4096."""
    lr_warmup: float = 0.01
    """Adam's learning rate of the heads before the first cycle, above 0."""
    lr_head: float = 0.001
    """Adam's learning rate of the heads in the cycles, above 0."""
    lr_mask: float = 0.001
    """Adam's learning rate of the masks, above 0. Masks begin at 1 and drop at 0: the fewer steps, the higher."""
    alpha: float = 0.1
    """Weight of the kept share of kernels in the loss, 0 or more."""
    head_width: int = 10
    """Outputs of a head's first layer; 1 to 10,000."""
    accuracy_loss: float = 0.01
    """An epoch can be chosen when its accuracy lies less than this below the base's, above 0 and at most 1."""

    def __post_init__(self) -> None:
        for name, least in (
            ("warmup_epochs", 0),
            ("cycles", 1),
            ("mask_epochs", 1),
            ("head_epochs", 0),
            ("head_width", 1),
        ):
            value = getattr(self, name)
            _check(name, value, least <= value <= 10_000, f"{least} to 10,000")
        _check("cycles", self.cycles, self.epochs <= 100_000, "so few that there are at most 100,000 epochs in all")
        _check("batch_size", self.batch_size, 1 <= self.batch_size <= 4096, "1 to 4096")
        for name in ("lr_warmup", "lr_head", "lr_mask"):
            value = getattr(self, name)
            _check(name, value, 0 < value < math.inf, "a number above 0")
        _check("alpha", self.alpha, 0 <= self.alpha < math.inf, "a number of 0 or more")
        _check("accuracy_loss", self.accuracy_loss, 0 < self.accuracy_loss <= 1, "a share above 0 and at most 1")

    @property
    def epochs(self) -> int:
        """Number of epochs in all."""
        return self.warmup_epochs + self.cycles * (self.mask_epochs + self.head_epochs)

    def phase(self, epoch: int) -> Phase:
        """What is trained in an epoch, from 0."""
        if epoch < self.warmup_epochs:
            return Phase(start=0, trains_masks=False, lr_head=self.lr_warmup)
        place = (epoch - self.warmup_epochs) % (self.mask_epochs + self.head_epochs)
        begin = epoch - place
        if place < self.mask_epochs:
            return Phase(start=begin, trains_masks=True, lr_head=self.lr_head)
        return Phase(start=begin + self.mask_epochs, trains_masks=False, lr_head=self.lr_head)


@dataclass(frozen=True, slots=True)
class Phase:
    """Epochs one after another that train the same with one optimiser."""

    start: int
    """Its first epoch, from 0; no two phases share one."""
    trains_masks: bool
    """Masks and heads, or the heads alone."""
    lr_head: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings with a name, and what they are for."""

    settings: GradSplitterSettings
    description: str


RECIPES: Final[Mapping[str, Recipe]] = {
    "paper": Recipe(
        settings=GradSplitterSettings(),
        description=(
            "GradSplitter as published (Qi et al., TOSEM 2023): 5 epochs of the heads, then 20 times 5 epochs of masks "
            "and heads and 2 of the heads. Masks reach 0 after a thousand steps or more: on small data sets raise "
            "lr_mask. Of the epochs that lose less than one percentage point on validation data the one with the "
            "fewest kernels is taken; the published code left that choice to a person."
        ),
    ),
}


def resolve_recipe(name: str, overrides: Mapping[str, Any]) -> GradSplitterSettings:
    """The settings of a recipe with some of them replaced.

    Args:
        name: Name of the recipe; empty means `paper`.
        overrides: Field of `GradSplitterSettings` to value.

    Raises:
        InvalidField: there is no such recipe or setting, or a value is out of range.
    """
    name = name or "paper"
    if name not in RECIPES:
        similar = near(name, RECIPES)
        raise InvalidField(
            f"{_PATH}.recipe: there is no recipe {shortened(name)!r}",
            field=f"{_PATH}.recipe",
            hint=f"did you mean {similar[0]}?" if similar else f"use one of {', '.join(RECIPES)}",
        )
    settable = {field.name for field in dataclasses.fields(GradSplitterSettings)} - {"recipe"}
    for key in overrides:
        if key not in settable:
            raise InvalidField(
                f"{_PATH}.{shortened(key)}: there is no such setting",
                field=f"{_PATH}.{shortened(key)}",
                hint=f"use one of {', '.join(near(key, settable) or sorted(settable))}",
            )
    return dataclasses.replace(RECIPES[name].settings, **overrides)
