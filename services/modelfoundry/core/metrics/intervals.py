"""Intervals of shares and of differences of shares, at one confidence level."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from modelfoundry.values.figures import Difference, Interval
from modelfoundry.values.intervals import CONFIDENCE, QUANTILE, wilson_interval

__all__ = ["CONFIDENCE", "QUANTILE", "joined", "paired_difference", "wilson_interval"]


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
