"""Areas under ROC curves and paired differences, against other people's code and what intervals promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from modelfoundry.core.metrics import (
    area_difference,
    area_interval,
    area_under_curve,
    joined,
    mean_area,
    paired_difference,
    wilson_interval,
)
from modelfoundry.values.figures import Interval


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_areas_are_those_of_scikit_learn_ties_and_all(samples: list[tuple[int, bool]]) -> None:
    scores, belongs = (torch.tensor(column) for column in zip(*samples, strict=True))
    found = area_under_curve(scores.double(), belongs)
    if len(set(belongs.tolist())) < 2:
        assert found is None
        return
    assert found is not None
    assert found.value == pytest.approx(roc_auc_score(belongs, scores))
    interval = area_interval(found)
    assert 0 <= interval.lower <= found.value <= interval.upper <= 1


def test_the_variance_is_delongs() -> None:
    """By the definition: covariances of the shares of the other side that each sample beats."""
    varying = np.random.default_rng(2)
    belongs = varying.random(60) < 0.4
    scores = [varying.normal(size=60) + belongs * shift for shift in (1.0, 0.5)]
    beats = [
        (score[belongs][:, None] > score[~belongs][None, :])
        + 0.5 * (score[belongs][:, None] == score[~belongs][None, :])
        for score in scores
    ]
    above, below = (np.cov([beat.mean(axis=axis) for beat in beats]) for axis in (1, 0))
    covariance = above / belongs.sum() + below / (~belongs).sum()
    own, other = (area_under_curve(torch.from_numpy(score), torch.from_numpy(belongs)) for score in scores)
    assert own is not None
    assert other is not None
    assert float(own.influences.square().sum()) == pytest.approx(covariance[0, 0])
    difference = area_difference(own, other)
    half = 1.959964 * math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert difference.value == pytest.approx(own.value - other.value)
    assert difference.interval.upper - difference.value == pytest.approx(half, rel=1e-5)


def test_everything_told_apart_is_known_no_better_than_the_rarer_side_lets_it() -> None:
    found = area_under_curve(torch.tensor([3.0, 2.0, 1.0, 0.0, 0.0, 0.0]), torch.tensor([True] * 3 + [False] * 3))
    assert found is not None
    assert found.value == 1
    assert area_interval(found) == wilson_interval(3, 3)


def test_what_is_no_number_ranks_last() -> None:
    found = area_under_curve(torch.tensor([math.nan, 1.0, 0.0]), torch.tensor([False, True, False]))
    assert found is not None
    assert found.value == 1


def test_a_mean_of_areas_errs_less_than_each_where_they_err_apart() -> None:
    varying = torch.Generator().manual_seed(1)
    belongs = torch.rand(400, generator=varying) < 0.5
    areas = [area_under_curve(torch.randn(400, generator=varying) + belongs, belongs) for _ in range(2)]
    mean = mean_area(area for area in areas if area is not None)
    assert mean is not None
    assert mean.value == pytest.approx(sum(area.value for area in areas if area) / 2)
    assert float(mean.influences.square().sum()) < min(float(area.influences.square().sum()) for area in areas if area)
    assert mean_area(()) is None


def test_intervals_of_areas_hold_the_truth_as_often_as_they_say() -> None:
    """Scores of two normal distributions one apart: the area is Phi(1 / sqrt 2)."""
    truth, held = 0.7602499389065233, 0
    varying = torch.Generator().manual_seed(3)
    belongs = torch.arange(150) < 50
    for _ in range(400):
        area = area_under_curve(torch.randn(150, generator=varying, dtype=torch.float64) + belongs, belongs)
        assert area is not None
        interval = area_interval(area)
        held += interval.lower <= truth <= interval.upper
    assert 0.92 <= held / 400 <= 0.98


def test_paired_differences_count_only_where_the_two_disagree() -> None:
    own = torch.tensor([True] * 90 + [False] * 10)
    other = torch.tensor([True] * 86 + [False] * 4 + [True] * 1 + [False] * 9)
    found = paired_difference(own, other)
    assert found.value == pytest.approx(0.03)
    middle, spread = 3 / 102, 1.959964 * math.sqrt(6 - 9 / 102) / 102
    assert found.interval.lower == pytest.approx(middle - spread)
    assert found.interval.upper == pytest.approx(middle + spread)
    equal = paired_difference(own, own)
    assert equal.value == 0
    assert equal.interval.lower == -equal.interval.upper < 0


def test_intervals_are_joined_as_their_parts_are() -> None:
    parts = [(0.9, Interval(0.8, 0.95, 0.95)), (0.5, Interval(0.4, 0.6, 0.95))]
    mean, interval = joined(parts)
    assert mean == pytest.approx(0.7)
    assert interval.lower == pytest.approx(0.7 - math.hypot(0.1, 0.1) / 2)
    assert interval.upper == pytest.approx(0.7 + math.hypot(0.05, 0.1) / 2)
    assert joined(parts[:1])[0] == 0.9
