"""Figures as cards write them."""

from __future__ import annotations

from modelfoundry.values.figures import Difference, Interval


def percent(ratio: float) -> str:
    """A ratio as percentage: `91.73 %`."""
    return f"{ratio * 100:.2f} %"


def percent_range(interval: Interval) -> str:
    """Two bounds as percentages: `91.2 % to 92.3 %`."""
    return f"{interval.lower * 100:.1f} % to {interval.upper * 100:.1f} %"


def difference_points(difference: Difference) -> str:
    """A difference in points with its bounds: `-1.85 points (95 % interval -2.90 to -0.80)`."""
    bounds = difference.interval
    return (
        f"{difference.value * 100:+.2f} points ({bounds.level * 100:g} % interval {bounds.lower * 100:+.2f} to "
        f"{bounds.upper * 100:+.2f})"
    )


def byte_count(size: int) -> str:
    """A number of bytes: `1,234,567 bytes`."""
    return f"{size:,} bytes"


def short(name: str) -> str:
    """A resource's collection and id: `models/resnet20`."""
    return "/".join(name.split("/")[-2:])


def last(name: str) -> str:
    """A resource's id: `resnet20`."""
    return name.rpartition("/")[2]
