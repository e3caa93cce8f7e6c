"""How SeaM searches, as data: settings, and recipes that name good ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from modelfoundry.decomposer.algorithms.settings import (
    ABOVE_ZERO,
    ZERO_OR_MORE,
    Augmentation,
    Settings,
    setting,
    whole,
)


@dataclass(frozen=True, slots=True)
class SeamSettings(Settings):
    """All settings of a search. The defaults are the paper's (SeaM, Qi et al., ICSE 2023, section 4.1).

    Raises:
        InvalidField: a value is out of range; the path is `seam.recipe.<field>`.
    """

    path: ClassVar[str] = "seam.recipe"
    recipe: str = "paper"
    initial_masks: Literal["ones"] = setting("ones", "How real-valued masks begin. ones: everything is kept at first.")
    epochs: int = setting(300, "Epochs at most.", whole(1, 10_000))
    # With 1, no epoch would ever train the masks.
    head_epoch_every: int = setting(
        5,
        "Every so many epochs train the head alone, beginning with the first. 0: never.",
        whole(2, 10_000, or_zero=True),
    )
    batch_size: int = setting(64, "Samples in a batch.", whole(1, 4096))
    lr_head: float = setting(0.1, "Learning rate of the head (Adam).", ABOVE_ZERO)
    lr_mask: float = setting(
        0.05, "Learning rate of the masks (Adam). The paper takes 0.01 to 0.12 by network.", ABOVE_ZERO
    )
    alpha: float = setting(
        1.0, "Weight of the retention term in the loss. The paper takes 1 to 2 by network.", ZERO_OR_MORE
    )
    patience: int = setting(
        0, "Epochs below the base's accuracy, after it was once reached, until it stops. 0: never.", whole(0, 10_000)
    )
    augmentation: Augmentation = setting("crop_flip", "How training images are varied.")  # noqa: RUF009

    def trains_masks(self, epoch: int) -> bool:
        """Whether an epoch (from 0) trains masks and head, or the head alone."""
        return self.head_epoch_every == 0 or epoch % self.head_epoch_every != 0
