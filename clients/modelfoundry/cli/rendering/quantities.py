"""Figures with units, the same way in every table."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelfoundry.values.intervals import share_interval

if TYPE_CHECKING:
    from modelfoundry.client import Difference

OPTIMISTIC: Final = (
    "validation: accuracy on the samples that it was chosen on, which is optimistic; `modelfoundry evaluate` measures"
)
"""A remark below every table with such figures."""
BYTE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
COUNT_UNITS: Final = ("", "k", "M", "G", "T")


def byte_count(size: int) -> str:
    """A number of bytes in binary units: `1.5 MiB`."""
    return _scaled(float(size), 1024.0, BYTE_UNITS)


def count(number: int) -> str:
    """A large number in thousands, millions, ...: `40.8 M`."""
    return _scaled(float(number), 1000.0, COUNT_UNITS)


def percent(ratio: float, digits: int = 1) -> str:
    """A ratio as percentage: `91.7 %`; a dash for what is no number, in records of older versions."""
    return f"{ratio * 100:.{digits}f} %" if math.isfinite(ratio) else "-"


def percent_interval(ratio: float, lower: float, upper: float) -> str:
    """A ratio with the bounds of its confidence interval: `91.73 % [91.2, 92.2]`."""
    return f"{percent(ratio, 2)} [{lower * 100:.1f}, {upper * 100:.1f}]"


def chosen_figure(accuracy: float, samples: int, *, doubted: bool) -> str:
    """An accuracy on the samples that something was chosen on, with its interval and their number.

    `91.7 % [64.6, 98.5] of 12`; with a `!` behind it where there are doubts, which are said below the table.
    """
    if not samples:
        return percent(accuracy)
    interval = share_interval(accuracy, samples)
    mark = " !" if doubted else ""
    return f"{percent(accuracy)} [{interval.lower * 100:.1f}, {interval.upper * 100:.1f}] of {samples:,}{mark}"


def difference_points(difference: Difference | None) -> str:
    """A difference of ratios in points, with its bounds: `+0.50 [-0.35, +1.35]`; a dash where it is not known."""
    if difference is None:
        return "-"
    bounds = difference.interval
    return f"{100 * difference.value:+.2f} [{100 * bounds.lower:+.2f}, {100 * bounds.upper:+.2f}]"


def duration(seconds: float) -> str:
    """A span of time: `4.2 s`, `3:07`, `2:03:07`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment(time: datetime | None) -> str:
    """A point of time in the reader's zone, to the second; empty when there is none."""
    if time is None:
        return ""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _scaled(value: float, step: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if abs(value) < step:
            return f"{value:.0f} {unit}".rstrip() if unit == units[0] else f"{value:.1f} {unit}"
        value /= step
    return f"{value:.1f} {units[-1]}"
