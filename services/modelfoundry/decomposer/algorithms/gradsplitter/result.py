"""What a joint search does and finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.core.channels import ChannelMasks
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What an epoch did."""

    epoch: int
    """From 0."""
    phase: str
    """`heads`, or `masks and heads`."""
    loss: float
    """Mean cross entropy of the epoch's batches, plus alpha times the kept share of kernels at its end."""
    accuracy: float
    """Of all modules together on validation data after the epoch, in [0, 1]."""
    retention: float
    """Kept share of all modules' kernels after the epoch, in [0, 1]."""
    accepted: bool
    """It became the best so far."""


@dataclass(frozen=True, slots=True)
class SplitModule:
    """One of the modules."""

    labels: tuple[int, ...]
    """Labels of the base that it recognises, by number."""
    channels: ChannelMasks
    """Kept units; `held` names the layers in which nothing was left, so that the unit with the highest score stays."""
    masks: WeightMasks
    """The same over all maskable weights."""
    head: LinearHead
    """Logits of its labels in that order, then 0 for the rest."""
    kept_kernels: int
    """Of the kernels that can be dropped."""
    total_kernels: int


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What a search found."""

    modules: tuple[SplitModule, ...]
    """In the order of the task."""
    validation_accuracy: float
    """Of all modules together (the greatest of all scores) on validation data, in [0, 1]."""
    base_validation_accuracy: float
    """Of the untouched base, as given."""
    chosen_epoch: int
    epochs_run: int
    fell_back: bool
    """No epoch was accurate enough; this is the most accurate one."""
    history: tuple[EpochRecord, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of all masks and heads after an epoch, which later epochs do not reach."""

    epoch: int
    accuracy: float
    """On validation data, in [0, 1]."""
    alive: Tensor
    """bool [modules, units], on the CPU."""
    held: Tensor
    """bool [modules, groups], on the CPU."""
    heads: Mapping[str, Tensor]
    """State of the heads, on the CPU."""

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """What `from_tensors` reads, named `prefix.*`."""
        return {
            # Cloned: the same snapshot may stand under two prefixes.
            f"{prefix}.alive": self.alive.clone(),
            f"{prefix}.held": self.held.clone(),
            **{f"{prefix}.heads.{name}": value.clone() for name, value in self.heads.items()},
            f"{prefix}.epoch": torch.tensor(self.epoch),
            f"{prefix}.accuracy": torch.tensor(self.accuracy, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, prefix: str, tensors: Mapping[str, Tensor]) -> Snapshot | None:
        """Reads what `tensors` wrote; None when there is nothing under that prefix."""
        if f"{prefix}.epoch" not in tensors:
            return None
        heads = f"{prefix}.heads."
        return cls(
            epoch=int(tensors[f"{prefix}.epoch"]),
            accuracy=float(tensors[f"{prefix}.accuracy"]),
            alive=tensors[f"{prefix}.alive"],
            held=tensors[f"{prefix}.held"],
            heads={name.removeprefix(heads): value for name, value in tensors.items() if name.startswith(heads)},
        )
