"""What a search does and finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What an epoch did."""

    epoch: int
    """From 0."""
    phase: str
    """`head`, or `masks and head`."""
    loss: float
    """Mean cross entropy of the epoch's batches, plus alpha times the retention at its end."""
    accuracy: float
    """On validation data after the epoch, in [0, 1]."""
    retention: float
    """Weight retention rate after the epoch, in [0, 1]."""
    accepted: bool
    """It became the best so far."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found."""

    masks: WeightMasks
    head: LinearHead
    validation_accuracy: float
    """Of the masks and head on validation data, in [0, 1]."""
    base_validation_accuracy: float
    """Of the untouched base on the target problem, as given."""
    chosen_epoch: int
    epochs_run: int
    fell_back: bool
    """No epoch reached the base's accuracy; this is the one with the best accuracy minus retention."""
    history: tuple[EpochRecord, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of masks and head after an epoch, which later epochs do not reach."""

    epoch: int
    accuracy: float
    """On validation data, in [0, 1]."""
    packed: bytes
    """The masks, as `WeightMasks.packed` writes them."""
    head: LinearHead

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """What `from_tensors` reads, named `prefix.*`."""
        (layer,) = self.head.layers
        return {
            f"{prefix}.masks": torch.from_numpy(np.frombuffer(self.packed, dtype=np.uint8).copy()),
            f"{prefix}.head.weight": layer.weight.clone(),  # the same snapshot may stand under two prefixes
            f"{prefix}.head.bias": layer.bias.clone(),
            f"{prefix}.epoch": torch.tensor(self.epoch),
            f"{prefix}.accuracy": torch.tensor(self.accuracy, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, prefix: str, tensors: Mapping[str, Tensor]) -> Snapshot | None:
        """Reads what `tensors` wrote; None when there is nothing under that prefix."""
        if f"{prefix}.epoch" not in tensors:
            return None
        return cls(
            epoch=int(tensors[f"{prefix}.epoch"]),
            accuracy=float(tensors[f"{prefix}.accuracy"]),
            packed=tensors[f"{prefix}.masks"].numpy().tobytes(),
            head=LinearHead.of(tensors[f"{prefix}.head.weight"], tensors[f"{prefix}.head.bias"]),
        )
