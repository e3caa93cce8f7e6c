"""Tensors of its base model that a module replaces by its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

STORED_TYPES: Final[Mapping[torch.dtype, str]] = {torch.float16: "F16", torch.float32: "F32"}
"""What rewritten tensors may be stored as, in safetensors' spelling."""
MOST_AXES: Final = 8


@dataclass(frozen=True, eq=False, slots=True)
class RewrittenTensors:
    """Parameters and buffers by name: statistics, scales and shifts of norms, small weights, or all of a network.

    Raises:
        ValueError: a tensor has another type, no entry, more than eight axes, or holds NaN or infinity.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """Name in the base network (`layer1.0.bn1.weight`) to a tensor of its shape (without the channels that were cut),
    float32 or float16, on the CPU; in the order of the names. A module that runs has it in the network's own type."""

    def __post_init__(self) -> None:
        for name, tensor in self.tensors.items():
            if tensor.dtype not in STORED_TYPES:
                raise ValueError(f"the rewritten {name} must be float32 or float16, not {tensor.dtype}")
            if not tensor.numel() or tensor.dim() > MOST_AXES:
                raise ValueError(f"the rewritten {name} has the shape {tuple(tensor.shape)}")
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"the rewritten {name} holds NaN or infinity")
        object.__setattr__(self, "tensors", dict(sorted(self.tensors.items())))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RewrittenTensors):
            return NotImplemented
        return self.tensors.keys() == other.tensors.keys() and all(
            tensor.dtype == other.tensors[name].dtype and torch.equal(tensor, other.tensors[name])
            for name, tensor in self.tensors.items()
        )

    __hash__ = None  # type: ignore[assignment]  # holds tensors
