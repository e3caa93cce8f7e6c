"""How GradSplitter searches, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from modelfoundry.decomposer.algorithms.settings import (
    ABOVE_ZERO,
    SHARE,
    ZERO_OR_MORE,
    Settings,
    setting,
    whole,
)
from modelfoundry.errors import InvalidField

MOST_EPOCHS: Final = 100_000


@dataclass(frozen=True, slots=True)
class GradSplitterSettings(Settings):
    """All settings of a search. The defaults are the paper's (GradSplitter, Qi et al., TOSEM 2023, section 4.1).

    The heads are trained alone for `warmup_epochs`; then come `cycles` of `mask_epochs` that train masks and heads and
    `head_epochs` that train the heads alone. Every change of what is trained begins with a new Adam.

    Raises:
        InvalidField: a value is out of range; the path is `gradsplitter.recipe.<field>`.
    """

    path: ClassVar[str] = "gradsplitter.recipe"
    recipe: str = "paper"
    warmup_epochs: int = setting(5, "Epochs of the heads alone before the first cycle.", whole(0, 10_000))
    cycles: int = setting(20, "How often masks and heads take turns.", whole(1, 10_000))
    mask_epochs: int = setting(5, "Epochs of masks and heads at the beginning of a cycle.", whole(1, 10_000))
    head_epochs: int = setting(2, "Epochs of the heads alone at the end of a cycle.", whole(0, 10_000))
    batch_size: int = setting(64, "Samples in a batch.", whole(1, 4096))
    lr_warmup: float = setting(0.01, "Learning rate of the heads before the first cycle (Adam).", ABOVE_ZERO)
    lr_head: float = setting(0.001, "Learning rate of the heads in the cycles (Adam).", ABOVE_ZERO)
    lr_mask: float = setting(
        0.001,
        "Learning rate of the masks (Adam). Masks begin at 1 and drop at 0: the fewer steps, the higher.",
        ABOVE_ZERO,
    )
    alpha: float = setting(0.1, "Weight of the kept share of kernels in the loss.", ZERO_OR_MORE)
    head_width: int = setting(10, "Outputs of a head's first layer.", whole(1, 10_000))
    accuracy_loss: float = setting(
        0.01, "An epoch can be chosen when its accuracy lies less than this share below the base's.", SHARE
    )

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.epochs > MOST_EPOCHS:
            field = f"{self.path}.cycles"
            raise InvalidField(
                f"{field}: {self.cycles} is out of range",
                field=field,
                hint=f"give so few that there are at most {MOST_EPOCHS:,} epochs in all",
            )

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
