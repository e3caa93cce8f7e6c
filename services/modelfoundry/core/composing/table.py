"""What every candidate says about every validation image: the table that members are chosen from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.core.composing.calibration import UNCALIBRATED, Calibration, fit_calibration
from modelfoundry.core.composing.scoring import one_vs_rest
from modelfoundry.core.metrics import classification
from modelfoundry.values.figures import ClassificationMetrics


@dataclass(frozen=True, slots=True)
class Candidate:
    """An output of a module or model that may speak for a label of the composition."""

    label: str
    source: str
    """Name of the module or model."""
    source_label: str
    """The label's name there."""
    size: int
    """Weights that it keeps: of equally good ones the smaller is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCandidate:
    """A candidate and what it said about the validation images."""

    candidate: Candidate
    log_odds: Tensor
    """Calibrated, float32 [n] on the CPU."""
    calibration: Calibration
    score: float
    """On the validation images, by the score that was asked for, in [0, 1]."""


Selection = tuple[int, ...]
"""For every label of a table the place of its member among the label's candidates."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """All candidates of all labels on the same validation images.

    Raises:
        ValueError: a label has no candidate.
    """

    labels: tuple[str, ...]
    true: Tensor
    """Label numbers of the images, int64 [n]."""
    rows: tuple[tuple[ScoredCandidate, ...], ...]
    """For every label its candidates: best score first, then the smaller, then by name."""

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.labels) or not all(self.rows):
            raise ValueError("every label needs a candidate")

    def members(self, selection: Selection) -> tuple[ScoredCandidate, ...]:
        """The candidates that were selected, one for every label."""
        return tuple(row[place] for row, place in zip(self.rows, selection, strict=True))

    def log_odds(self, selection: Selection) -> Tensor:
        """What a composition of these members gives, float32 [n, labels]."""
        return torch.stack([member.log_odds for member in self.members(selection)], dim=1)

    def metrics(self, selection: Selection) -> ClassificationMetrics:
        """How well these members, the surest of them deciding, tell the labels apart."""
        return classification(self.log_odds(selection).argmax(dim=1), self.true, self.labels)

    def place(self, label: str, source: str) -> int:
        """Where a source stands among the candidates of a label.

        Raises:
            ValueError: it is not among them.
        """
        row = self.rows[self.labels.index(label)]
        return [each.candidate.source for each in row].index(source)


def score_candidates(
    candidates: Iterable[tuple[Candidate, Tensor]],
    labels: Sequence[str],
    true: Tensor,
    *,
    score: str,
    calibrate: bool,
) -> ScoreTable:
    """Calibrates where that is asked for, scores, and puts candidates into the order in which they are preferred.

    Args:
        candidates: With their log-odds on the validation images, float32 [n].
        labels: Of the composition, in order.
        true: Label numbers of the images, int64 [n].
        score: One of `scoring.SCORES`.
        calibrate: Whether to fit scale and bias of every candidate first.

    Raises:
        ValueError: a label has no candidate.
    """
    rows: Mapping[str, list[ScoredCandidate]] = {label: [] for label in labels}
    for candidate, log_odds in candidates:
        positive = true == list(labels).index(candidate.label)
        calibration = fit_calibration(log_odds, positive) if calibrate else UNCALIBRATED
        calibrated = calibration(log_odds)
        found = ScoredCandidate(candidate, calibrated, calibration, one_vs_rest(calibrated, positive, score))
        rows[candidate.label].append(found)
    return ScoreTable(tuple(labels), true, tuple(tuple(sorted(row, key=_preference)) for row in rows.values()))


def _preference(scored: ScoredCandidate) -> tuple[float, int, str, str]:
    candidate = scored.candidate
    return (-scored.score, candidate.size, candidate.source, candidate.source_label)
