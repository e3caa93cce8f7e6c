"""How a network is trained, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

from modelfoundry.core.batches import Augmentation
from modelfoundry.errors import InvalidField


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Stochastic gradient descent with momentum; the learning rate is divided by 10 at milestones.

    Raises:
        InvalidField: a value is out of range; the path is `recipe.<field>`.
    """

    epochs: int = 30
    """1 to 10,000."""
    batch_size: int = 128
    """1 to 4096."""
    lr: float = 0.05
    """Initial learning rate, above 0."""
    momentum: float = 0.9
    """0 to below 1."""
    weight_decay: float = 0.0001
    """0 or more."""
    milestones: tuple[int, ...] = ()
    """Epochs at which the learning rate is divided by 10, ascending. Empty: at half and at three quarters."""
    augmentation: Augmentation = "none"

    def __post_init__(self) -> None:
        _check("epochs", self.epochs, 1 <= self.epochs <= 10_000, "1 to 10,000")
        _check("batch_size", self.batch_size, 1 <= self.batch_size <= 4096, "1 to 4096")
        _check("lr", self.lr, 0 < self.lr < math.inf, "a number above 0")
        _check("momentum", self.momentum, 0 <= self.momentum < 1, "0 to below 1")
        _check("weight_decay", self.weight_decay, 0 <= self.weight_decay < math.inf, "a number of 0 or more")
        ascending = all(0 < epoch < self.epochs for epoch in self.milestones) and list(self.milestones) == sorted(
            set(self.milestones)
        )
        _check("milestones", self.milestones, ascending, f"ascending epochs between 1 and {self.epochs - 1}")
        _check(
            "augmentation", self.augmentation, self.augmentation in get_args(Augmentation), "none, crop or crop_flip"
        )

    def lr_of(self, epoch: int) -> float:
        """Learning rate in an epoch, from 0."""
        milestones = self.milestones or (self.epochs // 2, self.epochs * 3 // 4)
        passed = sum(0 < milestone <= epoch for milestone in milestones)
        return self.lr * 0.1**passed


def _check(name: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise InvalidField(f"recipe.{name}: {value} is out of range", field=f"recipe.{name}", hint=f"give {allowed}")
