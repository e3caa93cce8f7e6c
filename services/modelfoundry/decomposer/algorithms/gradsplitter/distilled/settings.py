"""How the modules of a model are distilled together, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from modelfoundry.decomposer.algorithms.distilling.least import LEAST_VALIDATION
from modelfoundry.decomposer.algorithms.settings import (
    ABOVE_ZERO,
    SHARE,
    Augmentation,
    Limits,
    PrecisionSetting,
    Settings,
    setting,
    whole,
)

_NOT_ALL: Final = Limits("a share from 0 to 0.95", 0, 0.95)


@dataclass(frozen=True, slots=True)
class DistilledSplitSettings(Settings):
    """All settings of a joint distillation.

    Raises:
        InvalidField: a value is out of range; the path is `gradsplitter.recipe.<field>`.
    """

    path: ClassVar[str] = "gradsplitter.recipe"
    # No label is in the loss, so that one image of each is enough; thresholds are fitted.
    least_training: ClassVar[int] = 1
    least_validation: ClassVar[int] = LEAST_VALIDATION
    recipe: str = "distilled"
    retention: float = setting(
        0.5, "Share of the kernels that the modules keep, all together (of gradsplitter, the recipe distilled).", SHARE
    )
    shared: float = setting(
        0.5,
        "Recipe distilled of gradsplitter: share of the layers, from the images on, of which all modules keep the same "
        "kernels.",
        _NOT_ALL,
    )
    steps: int = setting(200, "Recipe distilled: batches that the masks learn from.", whole(1, 1_000_000))
    # Of one view there is no batch to normalise by.
    batch_size: int = setting(64, "Samples in a batch.", whole(2, 4096))
    lr_mask: float = setting(0.01, "Learning rate of the masks (Adam).", ABOVE_ZERO)
    lr_norm: float = setting(
        0.01, "Recipe distilled: learning rate of scales and shifts of batch normalisations (Adam).", ABOVE_ZERO
    )
    temperature: float = setting(
        4.0, "Recipe distilled: logits of module and base are divided by it when they are compared.", ABOVE_ZERO
    )
    augmentation: Augmentation = setting("crop_flip", "How training images are varied.")  # noqa: RUF009
    precision: PrecisionSetting = setting(  # noqa: RUF009
        "auto",
        "Recipe distilled: numbers that a step computes in; auto: bfloat16 where the processor has it, else float32.",
    )
