"""What speaks against relying on a figure: said wherever the figure is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modelfoundry.values.figures import BaseComparison, ClassificationMetrics
from modelfoundry.values.intervals import share_interval
from modelfoundry.values.problems import MultiClassProblem, Problem

LEAST_SAMPLES: Final = 20
"""Below so many samples an accuracy is known to some twenty points at best."""
LEAST_SCALE: Final = 1e-3
MOST_SCALE: Final = 50.0
"""Calibrations scale log-odds by a factor between these. One at either end is no fit: the log-odds fall where they
should rise, or differ by next to nothing."""


GUESS_OF_ONE_LABEL: Final = 0.5
"""What guessing reaches with one label against the rest, which are posed half and half."""


class DoubtKind(StrEnum):
    """What kind of doubt it is."""

    NO_BETTER_THAN_CHANCE = "no_better_than_chance"
    BELOW_BASE = "below_base"
    NO_BETTER_THAN_SOURCE = "no_better_than_source"
    FEW_SAMPLES = "few_samples"
    ODD_CALIBRATION = "odd_calibration"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a figure, or what it is of, should not be relied on, in a sentence with figures."""

    kind: DoubtKind
    text: str


def guessing(problem: Problem) -> float:
    """What the accuracy of a problem is without looking at images.

    With a rest as many samples of it are posed as of the labels: saying "none of these" is right half of the time.
    Without one it is at least the share of one label among all.
    """
    return 1 / len(problem.labels) if isinstance(problem, MultiClassProblem) else GUESS_OF_ONE_LABEL


def accuracy_doubts(accuracy: float, samples: int, guess: float, base: float | None = None) -> Iterator[Doubt]:
    """Doubts about an accuracy on samples.

    Args:
        accuracy: In [0, 1].
        samples: How many it was measured on; of 0 nothing is known and nothing said.
        guess: What is reached without looking at images.
        base: The accuracy of the base on the same samples; None where it is not known or worth nothing. It is better
            where the two intervals do not meet: which samples each answers rightly is not known here.
    """
    if not samples:
        return
    interval = share_interval(accuracy, samples)
    found = f"{_percent(accuracy)} on {samples:,} samples, 95 % interval {_percent(interval.lower)} to "
    found += _percent(interval.upper)
    if interval.lower <= guess:
        what = "no better than chance" if accuracy <= guess else "not shown to be better than chance"
        yield Doubt(DoubtKind.NO_BETTER_THAN_CHANCE, f"{what}: {found}; guessing reaches {_percent(guess)}")
    if base is not None and interval.upper < share_interval(base, samples).lower:
        yield Doubt(DoubtKind.BELOW_BASE, f"below its base: {found}; the base has {_percent(base)}")
    if samples < LEAST_SAMPLES:
        yield Doubt(DoubtKind.FEW_SAMPLES, f"{samples} samples are too few to tell more: {found}")


def measured_doubts(
    found: ClassificationMetrics, samples: int, against_base: BaseComparison | None = None
) -> Iterator[Doubt]:
    """Doubts about what was measured: guessing is to give always the commonest of the true answers."""
    rows = found.confusion.rows if found.confusion is not None else ()
    commonest = max((sum(row) for row in rows), default=0) / max(1, samples)
    yield from accuracy_doubts(found.accuracy, samples, max(commonest, 1 / max(2, len(found.per_label))))
    if against_base is not None and against_base.accuracy.interval.upper < 0:
        difference = against_base.accuracy
        yield Doubt(
            DoubtKind.BELOW_BASE,
            f"below its base: {100 * difference.value:+.2f} points, 95 % interval "
            f"{100 * difference.interval.lower:+.2f} to {100 * difference.interval.upper:+.2f}",
        )


def composition_doubts(
    accuracy: float, samples: int, labels: int, others: Sequence[tuple[str, float]]
) -> Iterator[Doubt]:
    """Doubts about a composition by what it was chosen on; `others` are what could be used instead."""
    yield from accuracy_doubts(accuracy, samples, 1 / max(2, labels))
    name, best = max(others, key=lambda other: other[1], default=("", -1.0))
    if samples and accuracy <= best:
        text = f"no better than {name}: {_percent(accuracy)} against {_percent(best)} on the same {samples:,} samples"
        yield Doubt(DoubtKind.NO_BETTER_THAN_SOURCE, text)


def calibration_doubts(label: str, source: str, scale: float) -> Iterator[Doubt]:
    """Doubts about the calibration of a member: at either end of what is allowed it says nothing of probabilities."""
    if scale <= LEAST_SCALE:
        why = "its log-odds fall where they should rise, and count next to nothing"
    elif scale >= MOST_SCALE:
        why = f"its log-odds hardly differ; their factor was held at {MOST_SCALE:.0f}"
    else:
        return
    yield Doubt(DoubtKind.ODD_CALIBRATION, f"{label} of {source} cannot be calibrated: {why}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
