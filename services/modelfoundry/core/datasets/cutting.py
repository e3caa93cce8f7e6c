"""Validation data, cut from training data label by label."""

from __future__ import annotations

import numpy as np
import torch


def validation_count(samples: int, fraction: float) -> int:
    """How many of a label's samples `validation_cut` takes for validation; 0 of one sample or none."""
    return max(0, min(max(1, round(samples * fraction)), samples - 1))


def validation_cut(labels: torch.Tensor, fraction: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Divides samples into training and validation, with the same share of every label.

    Of a label with `n` samples, `round(n * fraction)` become validation data, at least 1 and at most `n - 1`; a label
    with one sample keeps it for training. Which ones: those with the smallest of the numbers that PCG64 (seeded through
    NumPy's SeedSequence) draws, one per sample in order. Both are the same on every platform and NumPy version.

    Args:
        labels: int64 label numbers, [n].
        fraction: Share of validation samples, above 0 and below 1.
        seed: Seed of the draw, 0 or more.

    Returns:
        Training and validation indices, int64, each ascending; together all of `range(n)`.
    """
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    values = labels.cpu().numpy()
    draw = np.random.PCG64(seed).random_raw(len(values))
    chosen = np.zeros(len(values), dtype=bool)
    for label in np.unique(values):
        members = np.flatnonzero(values == label)
        count = validation_count(len(members), fraction)
        chosen[members[np.argsort(draw[members], kind="stable")[:count]]] = True
    return torch.from_numpy(np.flatnonzero(~chosen)), torch.from_numpy(np.flatnonzero(chosen))
