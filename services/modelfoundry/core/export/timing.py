"""How long ONNX files take, one beside the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from modelfoundry.core.export.sessions import INPUT_NAME, OUTPUT_NAME, onnx_session
from modelfoundry.core.monitor import Monitor, Unwatched
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.figures import Latency

_WARM_UP: Final = 3
_MIN_PASSES: Final = 16
_MAX_PASSES: Final = 200
_TURN: Final = 8
"""Passes of a file before the next one's turn: the first alone finds its weights gone from the processor's caches."""
DEFAULT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class FileTimes:
    """Times of one file."""

    latencies: tuple[Latency, ...]
    """CPU milliseconds of a pass, by batch size."""
    speedups: tuple[float, ...]
    """How many times as fast as the first file, by batch size: quotient of the medians."""


def interleaved_onnx_latency(
    files: Sequence[bytes],
    input_spec: InputSpec,
    batch_sizes: Sequence[int],
    *,
    seconds: float = DEFAULT_SECONDS,
    monitor: Monitor | None = None,
) -> tuple[FileTimes, ...]:
    """Times several ONNX files on one thread, in turns of a few passes: what else the machine does hits all alike.

    Passes of one file follow on each other, as in a program that has no other file. CPU time of the thread, not time of
    the clock: who waits for a processor is not slower for it.

    Args:
        files: One or more, the first being what the others are compared with.
        input_spec: Images that they take; random ones are given.
        batch_sizes: Images in one pass, each measured by itself.
        seconds: Of one file at one batch size; there are 16 passes at least and about 200 at most.
        monitor: May cancel between passes.

    Returns:
        The times of every file, in their order.

    Raises:
        Cancelled: the monitor said so.
    """
    watcher = monitor or Unwatched()
    sessions = [onnx_session(content, threads=1) for content in files]
    random = np.random.default_rng(0)
    timed: list[list[Latency]] = []
    for batch_size in batch_sizes:
        images = random.random((batch_size, *input_spec.shape), dtype=np.float32)
        passes = _timed_passes(sessions, images, seconds * len(sessions), watcher)
        timed.append([_summary(batch_size, each) for each in passes])
    return tuple(
        FileTimes(
            tuple(row[place] for row in timed),
            tuple(row[0].median_ms / row[place].median_ms for row in timed),
        )
        for place in range(len(sessions))
    )


def _timed_passes(sessions: Sequence[Any], images: Any, budget: float, watcher: Monitor) -> list[list[float]]:
    for session in [*sessions] * _WARM_UP:
        watcher.check_cancelled()
        _pass_seconds(session, images)
    seconds: list[list[float]] = [[] for _ in sessions]
    while len(seconds[0]) < _MIN_PASSES or (len(seconds[0]) < _MAX_PASSES and sum(map(sum, seconds)) < budget):
        for session, passes in zip(sessions, seconds, strict=True):
            watcher.check_cancelled()
            passes += [_pass_seconds(session, images) for _ in range(_TURN)]
    return seconds


def _pass_seconds(session: Any, images: Any) -> float:
    start = time.thread_time()
    session.run([OUTPUT_NAME], {INPUT_NAME: images})
    return time.thread_time() - start


def _summary(batch_size: int, seconds: Sequence[float]) -> Latency:
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    return Latency(batch_size, percentiles[49] * 1000, percentiles[94] * 1000, len(seconds))
