"""Modules as software modules: cohesion, coupling and what reusing one gains, over sets of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

COHESION_SAMPLES: Final = 100
_SEED: Final = 0


def coupling(kernels: Tensor, others: Sequence[Tensor]) -> float | None:
    """Mean Jaccard index of one set of kernels and every other.

    Args:
        kernels: bool [kernels], True for those in the set.
        others: The same of other modules of the same base.

    Returns:
        In [0, 1]; None without others. Two empty sets have index 0.
    """
    if not others:
        return None
    rows = torch.stack([kernels, *others])
    return float(_jaccard(rows)[0, 1:].mean())


def cohesion(used: Tensor) -> float:
    """Mean Jaccard index over all pairs of samples of the kernels that they use.

    Args:
        used: bool [samples, kernels], True where a sample uses a kernel.

    Returns:
        In [0, 1]; 0 for fewer than two samples. Two samples that use no kernel have index 0.
    """
    if len(used) < 2:
        return 0.0
    first, second = torch.triu_indices(len(used), len(used), offset=1)
    return float(_jaccard(used)[first, second].mean())


def even_samples(labels: Tensor, members: Sequence[int], limit: int = COHESION_SAMPLES) -> Tensor:
    """Samples of some labels, evenly over these, always the same.

    Args:
        labels: int64 label numbers, [n].
        members: Label numbers to choose from.
        limit: How many at most.

    Returns:
        Indices, int64: of every label one, then of every label a second, and so on.
    """
    values = labels.cpu().numpy()
    random = np.random.RandomState(_SEED)
    shuffled = [random.permutation(np.flatnonzero(values == label)) for label in members]
    rounds = np.concatenate([np.arange(len(indices)) for indices in shuffled])
    return torch.from_numpy(np.concatenate(shuffled)[np.argsort(rounds, kind="stable")][:limit])


def _jaccard(rows: Tensor) -> Tensor:
    """Jaccard index of every two rows of bool [n, kernels], float64 [n, n]; 0 where both are empty."""
    numbers = rows.to(torch.float64)
    common = numbers @ numbers.T
    sizes = numbers.sum(dim=1)
    united = sizes[:, None] + sizes[None, :] - common
    return common / united.clamp(min=1)
