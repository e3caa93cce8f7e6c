"""Figures as cards write them."""

from __future__ import annotations

import math
from statistics import NormalDist

from modelfoundry.values.figures import Interval

LEVEL = 0.95


def percent(ratio: float) -> str:
    """A ratio as percentage: `91.73 %`."""
    return f"{ratio * 100:.2f} %"


def percent_range(interval: Interval) -> str:
    """Two bounds as percentages: `91.2 % to 92.3 %`."""
    return f"{interval.lower * 100:.1f} % to {interval.upper * 100:.1f} %"


def byte_count(size: int) -> str:
    """A number of bytes: `1,234,567 bytes`."""
    return f"{size:,} bytes"


def short(name: str) -> str:
    """A resource's collection and id: `models/resnet20`."""
    return "/".join(name.split("/")[-2:])


def last(name: str) -> str:
    """A resource's id: `resnet20`."""
    return name.rpartition("/")[2]


def wilson_interval(share: float, samples: int) -> Interval:
    """Wilson's score interval at the 95 % level, from 0 to 1 without samples (Wilson, 1927).

    Args:
        share: In [0, 1].
        samples: How many it was measured on.
    """
    if samples <= 0:
        return Interval(0.0, 1.0, LEVEL)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    spread = 1 + z * z / samples
    middle = (share + z * z / (2 * samples)) / spread
    half = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples)) / spread
    return Interval(max(0.0, middle - half), min(1.0, middle + half), LEVEL)
