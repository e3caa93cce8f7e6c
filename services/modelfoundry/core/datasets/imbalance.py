"""Imbalanced parts of training data, for weak models that differ from each other (GradSplitter, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import DEFAULT_CONCENTRATION, TrainingSubset

MAX_DRAWS: Final = 10_000


def subset_counts(counts: Sequence[int], subset: TrainingSubset) -> tuple[int, ...]:
    """How many samples of every label the subset keeps, from the numbers alone.

    Args:
        counts: Samples by label number. A label without any takes no part.
        subset: What to draw; a seed of None draws as 0.

    Raises:
        InvalidField: none of 10,000 draws leaves every label its minimum.
    """
    present = [label for label, count in enumerate(counts) if count]
    kept = np.zeros(len(counts), dtype=np.int64)
    kept[present] = _draw(np.array([counts[label] for label in present]), subset, _random(subset))
    return tuple(kept.tolist())


def imbalanced_subset(labels: torch.Tensor, subset: TrainingSubset) -> torch.Tensor:
    """The samples of the subset.

    Shares are drawn from Dirichlet(concentration, ...) over the labels that occur and divided by the greatest, so that
    one label is complete; they are drawn again while a label keeps fewer samples than its minimum. Of a label's samples
    its share, rounded down, is taken at random. NumPy's legacy RandomState draws, as in the published code: its stream
    never changes.

    Deviation: the published code takes the last fifth of the subset for validation. Here validation data is cut before,
    from all of the split (`validation_cut`), so that models of one data set, and all that is made of them later, share
    one balanced validation set that none of them saw.

    Args:
        labels: int64 label numbers of the training data, [n], n of 1 or more.
        subset: What to draw.

    Returns:
        Indices into `labels`, int64, each at most once, shuffled.

    Raises:
        InvalidField: none of 10,000 draws leaves every label its minimum.
    """
    values = labels.cpu().numpy()
    members = [np.flatnonzero(values == label) for label in np.unique(values)]
    random = _random(subset)
    counts = _draw(np.array([len(indices) for indices in members]), subset, random)
    chosen = [random.permutation(indices)[:count] for indices, count in zip(members, counts, strict=True)]
    return torch.from_numpy(random.permutation(np.concatenate(chosen)))


def _random(subset: TrainingSubset) -> np.random.RandomState:
    return np.random.RandomState((subset.seed or 0) % 2**32)


def _draw(counts: NDArray[np.int64], subset: TrainingSubset, random: np.random.RandomState) -> NDArray[np.int64]:
    """Samples kept of labels that have some."""
    minima = np.array([subset.minimum_of(int(count)) for count in counts])
    concentration = subset.concentration or DEFAULT_CONCENTRATION
    for _ in range(MAX_DRAWS):
        shares = random.dirichlet(np.full(len(counts), concentration))
        # All shares of a very small concentration may underflow: what is no number is below every minimum.
        kept: NDArray[np.float64] = np.floor(shares / shares.max() * counts)
        if (kept >= minima).all():
            return kept.astype(np.int64)
    raise InvalidField(
        f"recipe.subset: none of {MAX_DRAWS:,} draws with concentration {concentration:g} leaves every one of "
        f"{len(counts)} labels {minima.min()} samples or more",
        field="recipe.subset",
        hint="give a smaller minimum_samples or a greater concentration",
    )
