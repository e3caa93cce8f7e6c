"""Intervals of shares and of differences of shares, at one confidence level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from torch import Tensor

from modelfoundry.values.figures import Difference, Interval

CONFIDENCE: Final = 0.95
QUANTILE: Final = 1.959963984540054
"""Two-sided quantile of the standard normal distribution at `CONFIDENCE`."""


def wilson_interval(successes: int, trials: int) -> Interval:
    """Wilson's score interval of a share at the 95 % level; from 0 to 1 without trials.

    Unlike the normal approximation it stays inside of [0, 1] and is no point at 0 or `trials` successes.
    """
    if not trials:
        return Interval(0.0, 1.0, CONFIDENCE)
    share = successes / trials
    denominator = 1 + QUANTILE**2 / trials
    centre = (share + QUANTILE**2 / (2 * trials)) / denominator
    spread = QUANTILE / denominator * math.sqrt(share * (1 - share) / trials + QUANTILE**2 / (4 * trials**2))
    # At the ends the formula gives the bound exactly, up to rounding.
    lower = 0.0 if successes == 0 else centre - spread
    upper = 1.0 if successes == trials else centre + spread
    return Interval(lower, upper, CONFIDENCE)


def paired_difference(own: Tensor, other: Tensor) -> Difference:
    """How much more often one subject is right than another on the same samples, with its interval at the 95 % level.

    Wald's interval with half a sample added to each cell (Agresti and Min, Statistics in Medicine 2005), which is no
    point where the two agree on everything.

    Args:
        own: bool [n], at least one: where the one is right.
        other: bool [n]: where the other is.
    """
    count = len(own)
    gained, lost = int((own & ~other).sum()), int((other & ~own).sum())
    total, more, less = count + 2, gained + 0.5, lost + 0.5
    middle = (more - less) / total
    spread = QUANTILE * math.sqrt(more + less - (more - less) ** 2 / total) / total
    return Difference((gained - lost) / count, Interval(middle - spread, middle + spread, CONFIDENCE))


def joined(parts: Sequence[tuple[float, Interval]]) -> tuple[float, Interval]:
    """The mean of independent figures with its interval, from theirs.

    The distances to the bounds are joined like standard errors (MOVER: Zou and Donner, Statistics in Medicine 2008).

    Args:
        parts: Figures with their intervals, one at least.
    """
    count = len(parts)
    mean = math.fsum(value for value, _ in parts) / count
    below = math.sqrt(math.fsum((value - interval.lower) ** 2 for value, interval in parts)) / count
    above = math.sqrt(math.fsum((interval.upper - value) ** 2 for value, interval in parts)) / count
    return mean, Interval(mean - below, mean + above, CONFIDENCE)
