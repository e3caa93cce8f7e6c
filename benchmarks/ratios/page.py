"""The page benchmarks/RESULTS.md, written from what measurements kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from interleaved import Ratio, table
from prose import filled

from ratios.measurements import Measurement, Report
from ratios.targets import Target

INTRODUCTION = """# How fast, against plain ways of doing the same

`make bench` (`python benchmarks/run.py`) wrote this page. Every way and its reference did the same work in turn in
one process (A B A B, once more before to warm up), so that what else the machine did hit all alike; a ratio is the
reference's time over the way's, turn by turn, and the table has the median with the least and the most. Times are
those of the processor where nothing else is said. References are plain: `benchmarks/reference/` is the published
way, written from the papers.
"""
COMMANDS = """## How it was run

```
make bench CIFAR10=FOLDER RESNET20=FILE     # all of it; without the data what needs them is left out
python benchmarks/run.py NAME ...           # some of it: the page keeps the other figures
```

A measurement that could not be made says why. None is estimated.
"""


def page(targets: Sequence[Target], measurements: Sequence[Measurement], found: Mapping[str, Report | str]) -> str:
    """The page.

    Args:
        targets: All that is aimed at.
        measurements: All that is measured.
        found: Name of a measurement to what it gave, or to why it could not be made; those that never ran are missing.
    """
    details = [one for measurement in measurements for one in _details(measurement, found.get(measurement.name))]
    return "\n".join([INTRODUCTION, *_judged(targets, measurements, found), *details, COMMANDS])


def _judged(
    targets: Sequence[Target], measurements: Sequence[Measurement], found: Mapping[str, Report | str]
) -> Iterator[str]:
    yield "| work | at least | aim | measured on | median | least to most | |"
    yield "|---|---:|---:|---|---:|---:|---|"
    for target in targets:
        start = f"| {target.work} | {_times(target.least)} | {_times(target.aim)} "
        ratios, why = _of_target(target, measurements, found)
        if not ratios:
            yield f"{start}| | | | not measured: {why} |"
        for one in ratios:
            yield (
                f"{start}| {one.work}: {one.way} | **{_times(one.median)}** "
                f"| {_times(one.least)} to {_times(one.most)} | {target.verdict(one.median)} |"
            )
    yield ""


def _of_target(
    target: Target, measurements: Sequence[Measurement], found: Mapping[str, Report | str]
) -> tuple[tuple[Ratio, ...], str]:
    """What answers a target, or why nothing does."""
    ratios: list[Ratio] = []
    reasons: list[str] = []
    for measurement in measurements:
        if target.key not in measurement.targets:
            continue
        given = found.get(measurement.name, f"`python benchmarks/run.py {measurement.name}` was not run")
        if isinstance(given, str):
            reasons.append(given)
        else:
            ratios += given.judged.get(target.key, ())
            reasons += [note.partition(". ")[0].rstrip(".") for note in given.notes[:1]]
    return tuple(ratios), reasons[0] if reasons else "nothing in this version measures it"


def _details(measurement: Measurement, given: Report | str | None) -> Iterator[str]:
    if not isinstance(given, Report):
        return
    ratios = [one for several in given.judged.values() for one in several] + list(given.beside)
    yield f"## {measurement.name}\n"
    yield filled(f"`python benchmarks/run.py {measurement.name}`, on {_where(given.machine)}:")
    yield f"{table(ratios)}\n"
    for note in given.notes:
        yield filled(note)


def _where(machine: Mapping[str, object]) -> str:
    return ("{processor}, {cores} cores, torch {torch} on {threads} of them, load average {load} when it began").format(
        **machine
    )


def _times(ratio: float) -> str:
    """A ratio as people say it: small ones as a part."""
    return f"{ratio:.2f}x" if ratio >= 0.2 else f"1/{1 / ratio:.0f}"
