"""Wilson's score interval, for whoever shows a share."""

from __future__ import annotations

import math
from typing import Final

from modelfoundry.values.figures import Interval

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


def share_interval(share: float, trials: int) -> Interval:
    """The same of a share that was recorded, and not the number behind it."""
    return wilson_interval(min(trials, max(0, round(share * trials))), trials)
