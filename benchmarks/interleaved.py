"""Times ways to do the same work, in turn in one process (A B A B), so that what else runs there hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster a way is than the reference."""

    work: str
    """What was done, for example `SeaM mask step, ResNet20`."""
    way: str
    """How, for example `paper, float32`."""
    median: float
    """Of the ratios of all rounds."""
    least: float
    most: float
    seconds: float
    """Median seconds of the way itself, of the processor where the work does not say otherwise."""
    reference_seconds: float
    """The same of the reference."""


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Runs every way once a round, and once before to warm up.

    Args:
        ways: Name to what is to be timed. It runs on the calling thread (`torch.set_num_threads(1)`).
        rounds: 1 or more.
        clock: Seconds of what; of the processor in this process, unless the work is done by others.

    Returns:
        Name to the seconds of every round.
    """
    for run in ways.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def ratios(work: str, seconds: Mapping[str, Sequence[float]], reference: str = "reference") -> list[Ratio]:
    """Every way against the reference, round by round."""
    found = []
    for way, own in seconds.items():
        if way == reference:
            continue
        faster = [theirs / mine for theirs, mine in zip(seconds[reference], own, strict=True)]
        found.append(
            Ratio(
                work=work,
                way=way,
                median=statistics.median(faster),
                least=min(faster),
                most=max(faster),
                seconds=statistics.median(own),
                reference_seconds=statistics.median(seconds[reference]),
            )
        )
    return found


def table(found: Sequence[Ratio]) -> str:
    """The ratios as a table in Markdown."""
    lines = [
        "| work | way | times faster: median | least to most | s | reference, s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.work} | {one.way} | **{one.median:.2f}** | {one.least:.2f} to {one.most:.2f} "
        f"| {one.seconds:.3g} | {one.reference_seconds:.3g} |"
        for one in found
    ]
    return "\n".join(lines)
