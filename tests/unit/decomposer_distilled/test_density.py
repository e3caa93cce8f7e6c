"""How many weights are kept, and which."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelfoundry.decomposer.algorithms.distilling.density import density_at, kept_of, rank_scores, top_k


def test_density_falls_as_a_cube_over_the_first_half_and_then_stays() -> None:
    found = [density_at(step, 8, 0.1) for step in range(9)]
    by_hand = [0.5, 0.1 + 0.4 * 27 / 64, 0.1 + 0.4 / 8, 0.1 + 0.4 / 64, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert found == pytest.approx(by_hand)


def test_density_never_begins_below_what_is_kept_in_the_end() -> None:
    assert [density_at(step, 4, 0.7) for step in range(5)] == pytest.approx([0.7] * 5)
    assert density_at(0, 4, 1.0) == 1.0


@pytest.mark.parametrize(
    ("total", "density", "kept"),
    [(270, 0.1, 27), (56_394, 0.1, 5639), (7, 1.0, 7), (7, 0.0001, 1), (100, 0.29, 29)],
)
def test_a_density_means_the_nearest_number_of_entries_and_never_none(total: int, density: float, kept: int) -> None:
    assert kept_of(total, density) == kept


def test_scores_are_the_places_of_the_sizes() -> None:
    scores = rank_scores(torch.tensor([0.5, -3.0, 0.0, 0.5, 1.0]))
    assert scores.tolist() == [0.25, 1.0, 0.0, 0.5, 0.75]


@pytest.mark.parametrize("kept", [1, 2, 499, 500, 999, 1000])
def test_the_best_are_those_of_a_stable_sort_and_exactly_as_many(kept: int) -> None:
    generator = torch.Generator().manual_seed(kept)
    scores = torch.randint(0, 30, (1000,), generator=generator).float()  # many are equal
    expected = np.zeros(1000, dtype=bool)
    expected[np.argsort(-scores.numpy(), kind="stable")[:kept]] = True
    mask = top_k(scores, kept)
    assert int(mask.count_nonzero()) == kept
    assert mask.tolist() == expected.tolist()
