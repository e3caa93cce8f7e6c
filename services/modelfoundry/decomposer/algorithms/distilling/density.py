"""How many weights are kept, and which: a number of them by a schedule, those with the highest scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

START: Final = 0.5
"""Share of the weights that a search begins with."""
RAMP: Final = 0.5
"""Share of the steps in which the density falls; then it stays."""


def density_at(step: int, steps: int, retention: float) -> float:
    """Share of the weights that are kept in a step: it falls from a half (or stays) as a cube, fast at first.

    The cube is the schedule of gradual pruning (Zhu and Gupta, 2017): many weights go while others can still take over.

    Args:
        step: From 0 to `steps`.
        steps: Of the whole search, 1 or more.
        retention: Share that is kept in the end, above 0 and at most 1.
    """
    passed = min(1.0, step / (RAMP * steps))
    return retention + (max(START, retention) - retention) * (1 - passed) ** 3


def kept_of(total: int, density: float) -> int:
    """Number of entries out of `total` that a density means: to the nearest, and never none."""
    return max(1, round(density * total))


def rank_scores(weights: Tensor) -> Tensor:
    """Scores to begin with: where each weight stands when all are sorted by size.

    Ranks compare layers as the sizes do, and are spread evenly, so that one learning rate fits all networks.

    Args:
        weights: Of all layers, float32 [n].

    Returns:
        float32 [n], from 0 for the smallest to 1 for the largest; of equal ones the later is the larger.
    """
    scores = torch.empty_like(weights)
    scores[weights.abs().argsort(stable=True)] = torch.linspace(0, 1, len(weights), device=weights.device)
    return scores


def top_k(scores: Tensor, kept: int) -> Tensor:
    """The entries with the highest scores, exactly `kept` of them; of equal ones the first.

    Args:
        scores: float32 [n].
        kept: 1 to n.

    Returns:
        bool [n].
    """
    threshold = _ascending(scores, len(scores) - kept)
    mask = scores > threshold
    missing = kept - int(mask.count_nonzero())
    mask[(scores == threshold).nonzero().flatten()[:missing]] = True
    return mask


def _ascending(values: Tensor, place: int) -> float:
    """The value at a place, from 0, when all are sorted upwards."""
    if values.device.type == "cpu":
        # More than twice as fast as torch's.
        return float(np.partition(values.numpy(), place)[place])
    return float(values.kthvalue(place + 1).values)
