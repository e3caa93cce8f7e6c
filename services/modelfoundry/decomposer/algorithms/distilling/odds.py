"""A problem as columns of a classifier's logits, and the head that reads it there: log-odds against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelfoundry.core.composing.calibration import UNCALIBRATED, Calibration
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.values.problems import MultiClassProblem, Problem, resolve


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be told apart, in numbers of the classifier's labels."""

    labels: int
    """Labels of the classifier."""
    columns: tuple[int, ...]
    """Numbers of the problem's labels, in the order of the problem."""
    rest: bool
    """Whether the rest is an answer: always but for multi-class problems."""

    @classmethod
    def of(cls, problem: Problem, labels: Sequence[str]) -> Target:
        """The target of a problem on a classifier with these labels.

        Raises:
            UnknownLabel, InvalidField: the problem does not fit the labels.
        """
        rest = not isinstance(problem, MultiClassProblem)
        return cls(len(labels), resolve(problem, labels), rest)

    def head(self, calibration: Calibration = UNCALIBRATED) -> LogOddsHead:
        """A module's head: without a calibration its softmax is the classifier's own."""
        scale = torch.full((len(self.columns),), calibration.scale)
        return LogOddsHead(self.labels, self.columns, self.rest, scale, torch.full_like(scale, calibration.bias))
