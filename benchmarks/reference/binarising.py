"""A real number as a bit, with a gradient that goes straight through (SeaM, section 3; GradSplitter, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Binarise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, masks: Tensor) -> Tensor:  # noqa: ARG004
        return (masks > 0).float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        return torch.clamp(gradients[0], -1, 1)


def binarise(masks: Tensor) -> Tensor:
    """1.0 where `masks` are above 0, else 0.0; the gradient reaches the masks clamped to [-1, 1]."""
    bits: Tensor = _Binarise.apply(masks)
    return bits
