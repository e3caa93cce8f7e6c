"""How weights are pruned by size and the head is trained, as data: settings, and recipes that name good ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from modelfoundry.decomposer.algorithms.settings import (
    ABOVE_ZERO,
    SHARE,
    Augmentation,
    Recipe,
    Settings,
    setting,
    whole,
)


@dataclass(frozen=True, slots=True)
class MagnitudeSettings(Settings):
    """All settings of a search. Those of the head are SeaM's, so that the two differ in their masks alone.

    Raises:
        InvalidField: a value is out of range; the path is `magnitude.recipe.<field>`.
    """

    path: ClassVar[str] = "magnitude.recipe"
    recipe: str = "baseline"
    retention: float = setting(0.1, "Share of all weights that is kept: those of the greatest size.", SHARE)
    epochs: int = setting(30, "Epochs at most.", whole(1, 10_000))
    batch_size: int = setting(64, "Samples in a batch.", whole(1, 4096))
    lr_head: float = setting(0.1, "Learning rate of the head (Adam).", ABOVE_ZERO)
    augmentation: Augmentation = setting("crop_flip", "How training images are varied.")  # noqa: RUF009


RECIPES: Final[Mapping[str, Recipe[MagnitudeSettings]]] = {
    "baseline": Recipe(
        settings=MagnitudeSettings(),
        description=(
            "Magnitude pruning in one shot (after Han et al., NeurIPS 2015): of all weights of the network together "
            "the tenth of the greatest size stays, whatever the problem is; then a head is trained for 30 epochs, and "
            "the most accurate one on validation data is taken. The weights are not trained again, so that they stay "
            "the model's. To compare with another module, set retention to its weight retention."
        ),
    ),
}
