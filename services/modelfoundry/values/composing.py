"""What a new task is composed of, and how members are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from modelfoundry.values.references import Named


class Strategy(StrEnum):
    """How one member is chosen for every label.

    `PER_LABEL`: the best by its own score (GradSplitter). `JOINT`: a search for the accuracy of the joint prediction,
    on validation data never below `PER_LABEL`.
    """

    PER_LABEL = "per_label"
    JOINT = "joint"


class Score(StrEnum):
    """What candidates of one label are ranked by, each against the rest and in [0, 1]."""

    F1 = "f1"
    PRECISION = "precision"
    RECALL = "recall"
    ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """One label of a new task.

    Args:
        label: Its name in the composition.
        sources: Models (`models/ID`), compositions (`compositions/ID`) and modules (bare ids) that may know it.
        source_label: Its name in the sources and in the data set. Empty: the same.
        dataset: Data set with its images. None: the one that is given for all.
    """

    label: str
    sources: Sequence[Named]
    source_label: str = ""
    dataset: Named | None = None
