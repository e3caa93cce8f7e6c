"""How a module is distilled, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from modelfoundry.decomposer.algorithms.distilling.least import LEAST_TRAINING, LEAST_VALIDATION
from modelfoundry.decomposer.algorithms.settings import (
    ABOVE_ZERO,
    PART,
    SHARE,
    DecidedAugmentation,
    PrecisionSetting,
    Settings,
    setting,
    whole,
)


@dataclass(frozen=True, slots=True)
class DistilledSettings(Settings):
    """All settings of a distilled search.

    Raises:
        InvalidField: a value is out of range; the path is `seam.recipe.<field>`.
    """

    path: ClassVar[str] = "seam.recipe"
    least_training: ClassVar[int] = LEAST_TRAINING
    least_validation: ClassVar[int] = LEAST_VALIDATION
    recipe: str = "distilled"
    retention: float = setting(
        0.1, "Share of the weights that the module keeps (of seam, the recipe distilled).", SHARE
    )
    steps: int = setting(
        0, "Recipe distilled: batches that the masks learn from. 0: as the data ask.", whole(0, 1_000_000)
    )
    # Of one view there is no batch to normalise by.
    batch_size: int = setting(64, "Samples in a batch.", whole(2, 4096))
    lr_mask: float = setting(0.003, "Learning rate of the masks (Adam).", ABOVE_ZERO)
    lr_norm: float = setting(
        0.01, "Recipe distilled: learning rate of scales and shifts of batch normalisations (Adam).", ABOVE_ZERO
    )
    hard_negatives: float = setting(
        0.5,
        "Recipe distilled: share of the rest's images that are drawn the more often the more the model takes them for "
        "the label; the others are drawn alike.",
        PART,
        earlier=0.0,
    )
    temperature: float = setting(
        8.0, "Recipe distilled: logits of module and base are divided by it when they are compared.", ABOVE_ZERO
    )
    augmentation: DecidedAugmentation = setting(  # noqa: RUF009
        "auto", "How training images are varied; auto: by crops and flips, as far as the model knows its images then."
    )
    precision: PrecisionSetting = setting(  # noqa: RUF009
        "auto",
        "Recipe distilled: numbers that a step computes in; auto: bfloat16 where the processor has it, else float32.",
    )
