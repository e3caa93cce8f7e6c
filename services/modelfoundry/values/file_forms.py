"""How a file keeps the weights of a network, and what it computes with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WeightFormat(StrEnum):
    """How an export keeps its weights. Whatever it keeps them as, it computes as `Compute` says."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class Compute(StrEnum):
    """What an export computes with. int8: weights and activations, calibrated on training images."""

    FP32 = "fp32"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportForm:
    """How a file keeps its weights, and what it computes with."""

    weights: WeightFormat = WeightFormat.FP32
    compute: Compute = Compute.FP32

    @property
    def exact(self) -> bool:
        """Whether the file gives the network's own logits."""
        return self == ExportForm()

    def __str__(self) -> str:
        if self.compute is Compute.INT8:
            return "computed in int8"
        return f"weights in {self.weights}"
