"""Imbalanced parts of training data: what is drawn, that it repeats, and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelfoundry.core.datasets import imbalanced_subset, subset_counts
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import TrainingSubset


def labels(*counts: int) -> torch.Tensor:
    """Shuffled label numbers with so many samples of each."""
    values = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return values[torch.randperm(len(values), generator=torch.Generator().manual_seed(5))]


def test_shares_are_the_first_dirichlet_draw_that_leaves_every_label_enough() -> None:
    subset = TrainingSubset(concentration=0.5, minimum_samples=30, seed=3)
    random = np.random.RandomState(3)
    draws = 0
    while True:
        draws += 1
        shares = random.dirichlet([0.5] * 4)
        expected = np.floor(shares / shares.max() * [500, 400, 300, 200])
        if expected.min() >= 30:
            break
    assert draws > 1, "a seed whose first draw is refused"

    assert subset_counts([500, 400, 300, 200], subset) == tuple(expected.astype(int))


def test_one_label_is_complete_and_every_sample_is_taken_once() -> None:
    data = labels(200, 200, 200)

    indices = imbalanced_subset(data, TrainingSubset(seed=1))

    counts = torch.bincount(data[indices])
    assert counts.max() == 200
    assert counts.min() >= 4
    assert len(indices) == len(set(indices.tolist())) < 600
    assert tuple(counts.tolist()) == subset_counts([200, 200, 200], TrainingSubset(seed=1))


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    data = labels(100, 100, 100)

    first, again, other = (imbalanced_subset(data, TrainingSubset(seed=seed)) for seed in (4, 4 + 2**32, 5))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_are_shuffled_across_labels() -> None:
    data = labels(100, 100)

    drawn = data[imbalanced_subset(data, TrainingSubset(seed=0))]

    assert not torch.equal(drawn, drawn.sort().values)


@pytest.mark.parametrize(("samples", "minimum"), [(5000, 100), (20_000, 100), (4500, 90), (130, 3), (50, 1), (1, 1)])
def test_the_minimum_follows_the_size_of_a_label_unless_it_is_given(samples: int, minimum: int) -> None:
    assert TrainingSubset().minimum_of(samples) == minimum
    assert TrainingSubset(minimum_samples=7).minimum_of(samples) == 7


def test_a_label_without_samples_takes_no_part() -> None:
    counts = subset_counts([100, 0, 100], TrainingSubset(seed=2))

    assert counts[1] == 0
    assert max(counts) == 100


def test_a_minimum_that_no_draw_leaves_is_refused() -> None:
    with pytest.raises(InvalidField, match="none of 10,000 draws") as refused:
        imbalanced_subset(labels(50, 50), TrainingSubset(minimum_samples=51))
    assert refused.value.field == "recipe.subset"


@pytest.mark.parametrize(
    ("field", "values"),
    [("concentration", {"concentration": 0.0}), ("minimum_samples", {"minimum_samples": -1})],
    ids=["concentration", "minimum"],
)
def test_settings_out_of_range_are_refused(field: str, values: dict[str, float]) -> None:
    with pytest.raises(InvalidField) as refused:
        TrainingSubset(**values).checked()  # type: ignore[arg-type]
    assert refused.value.field == f"recipe.subset.{field}"
