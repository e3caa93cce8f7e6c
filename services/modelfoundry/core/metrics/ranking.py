"""Area under the ROC curve of scores, with DeLong's variance, also of the difference of two subjects.

An area is a mean over samples up to terms that vanish: every sample has an influence on it (the structural components
of DeLong, DeLong and Clarke-Pearson, Biometrics 1988, computed from mid-ranks as by Sun and Xu, 2014). Influences of
several labels, or of two subjects on the same samples, may be averaged and subtracted before they are squared, so that
one function gives the variance of all of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.core.metrics.intervals import CONFIDENCE, QUANTILE, wilson_interval
from modelfoundry.values.figures import Difference, Interval


@dataclass(frozen=True, eq=False, slots=True)
class Area:
    """An area under a ROC curve, or the mean of several on the same samples."""

    value: float
    """In [0, 1]: how often a sample that belongs has the higher score; equal scores count half."""
    influences: Tensor
    """float64 [n]: what every sample adds to the error of the value; its variance is the sum of their squares."""
    rarer: int
    """Samples of the rarer side, of several areas the least."""


def area_under_curve(scores: Tensor, belongs: Tensor) -> Area | None:
    """The area under the ROC curve.

    Args:
        scores: [n], higher for samples that belong. What is no number counts as the lowest.
        belongs: bool [n].

    Returns:
        None when all samples belong, or none does: there is no curve.
    """
    positives = int(belongs.sum())
    negatives = len(belongs) - positives
    if not positives or not negatives:
        return None
    scores = torch.nan_to_num(scores.double(), nan=-math.inf)
    ranks = _mid_ranks(scores)
    above = (ranks[belongs] - _mid_ranks(scores[belongs])) / negatives
    below = 1 - (ranks[~belongs] - _mid_ranks(scores[~belongs])) / positives
    value = float(above.mean())
    influences = torch.empty_like(scores)
    for side, shares in ((belongs, above), (~belongs, below)):
        count = len(shares)
        influences[side] = (shares - value) / math.sqrt(count * max(1, count - 1))
    return Area(value, influences, min(positives, negatives))


def mean_area(areas: Iterable[Area]) -> Area | None:
    """The mean of areas on the same samples; None where there is none."""
    total, count, rarer = 0.0, 0, 0
    influences: Tensor | None = None
    for area in areas:
        influences = area.influences if influences is None else influences + area.influences
        rarer = min(rarer, area.rarer) if count else area.rarer
        total, count = total + area.value, count + 1
    return None if influences is None else Area(total / count, influences / count, rarer)


def area_interval(area: Area) -> Interval:
    """The interval of an area at the 95 % level: normal on the logit scale, so that it stays inside of [0, 1].

    Where the variance is 0, as when everything is told apart, it is Wilson's for as many samples as the rarer side has.
    """
    error = _standard_error(area.influences)
    if error == 0 or not 0 < area.value < 1:
        return wilson_interval(round(area.value * area.rarer), area.rarer)
    middle = math.log(area.value / (1 - area.value))
    spread = QUANTILE * error / (area.value * (1 - area.value))
    return Interval(_logistic(middle - spread), _logistic(middle + spread), CONFIDENCE)


def area_difference(own: Area, other: Area) -> Difference:
    """One area minus another on the same samples, with its interval at the 95 % level, by DeLong's covariance."""
    value = own.value - other.value
    spread = QUANTILE * _standard_error(own.influences - other.influences)
    return Difference(value, Interval(max(-1.0, value - spread), min(1.0, value + spread), CONFIDENCE))


def _standard_error(influences: Tensor) -> float:
    return float(influences.square().sum().sqrt())


def _mid_ranks(scores: Tensor) -> Tensor:
    """Ranks from 1, float64 [n]; equal scores share the mean of theirs."""
    _, places, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    middles: Tensor = counts.cumsum(0).to(torch.float64) - (counts - 1) / 2
    return middles[places]


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
