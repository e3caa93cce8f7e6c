"""Measures how far a job is."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from modelfoundry.values.results import Progress


@dataclass(frozen=True, slots=True)
class _Point:
    phase: str
    done: int
    total: int
    unit: str
    metrics: Mapping[str, float]
    seconds: float


class ProgressMeter:
    """Takes in progress as often as it comes and works it out as often as it is asked. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phase_start: _Point | None = None
        self._latest: _Point | None = None
        self._told: _Point | None = None

    def update(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        """Notes how far the job is. Costs about a microsecond."""
        point = _Point(phase, done, total, unit, metrics, time.monotonic())
        with self._lock:
            if self._phase_start is None or self._phase_start.phase != phase or done < self._phase_start.done:
                self._phase_start = point
            self._latest = point

    def news(self) -> Progress | None:
        """Progress since the last call; None when there was none."""
        with self._lock:
            latest, start = self._latest, self._phase_start
            if latest is self._told or latest is None or start is None:
                return None
            self._told = latest
        return _progress(start, latest)

    def forget_told(self) -> None:
        """Lets the next `news` tell the latest progress again, because telling it failed."""
        with self._lock:
            self._told = None


def _progress(start: _Point, latest: _Point) -> Progress:
    fraction = min(max(latest.done / latest.total, 0.0), 1.0) if latest.total > 0 else 0.0
    return Progress(
        phase=latest.phase,
        fraction=fraction,
        done_units=latest.done,
        total_units=latest.total,
        unit=latest.unit,
        metrics={name: float(value) for name, value in latest.metrics.items()},
        remaining=_remaining(start, latest),
    )


def _remaining(start: _Point, latest: _Point) -> timedelta | None:
    """Time to the end of the phase at the pace of the phase; None while the pace is unknown."""
    done = latest.done - start.done
    if done <= 0 or latest.total <= 0:
        return None
    pace = (latest.seconds - start.seconds) / done
    return timedelta(seconds=pace * max(latest.total - latest.done, 0))
