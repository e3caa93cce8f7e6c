"""The competitor of every composition: the plain ensemble of its sources."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def ensemble_probabilities(logits: Sequence[Tensor]) -> Tensor:
    """Mean of the softmax of several networks.

    Args:
        logits: Of every network, float32 [n, labels], columns in the same order.

    Returns:
        Probabilities, float32 [n, labels].
    """
    return torch.stack([each.softmax(dim=1) for each in logits]).mean(dim=0)
