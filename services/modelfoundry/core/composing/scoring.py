"""How good a candidate is at its label on validation data (GradSplitter, sections 3.4 and 4: F1 at a score of 0.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor

from modelfoundry.core.metrics import classification
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.composing import Score
from modelfoundry.values.figures import ClassificationMetrics
from modelfoundry.values.problems import REST

DEFAULT_SCORE: Final = Score.F1
SCORES: Final[Mapping[str, Callable[[ClassificationMetrics], float]]] = {
    Score.F1: lambda found: found.per_label[0].f1,
    Score.PRECISION: lambda found: found.per_label[0].precision,
    Score.RECALL: lambda found: found.per_label[0].recall,
    Score.ACCURACY: lambda found: found.accuracy,
}
"""Scores of one label against the rest, each in [0, 1]; a ratio with an empty denominator is 0."""


def check_score(name: str) -> str:
    """Returns `name` when there is such a score.

    Raises:
        InvalidField: there is none.
    """
    if name not in SCORES:
        raise InvalidField(
            f"score: there is no score {shortened(name)!r}", field="score", hint=f"pass one of {', '.join(SCORES)}"
        )
    return name


def one_vs_rest(log_odds: Tensor, positive: Tensor, score: str) -> float:
    """Scores "is it this label?", answered with yes where the sigmoid of the log-odds is above 0.5.

    Args:
        log_odds: Of the label, [n].
        positive: Whether it is the label, bool [n].
        score: One of `SCORES`.

    Returns:
        In [0, 1].
    """
    answered, asked = (log_odds <= 0).long(), (~positive).long()
    return SCORES[score](classification(answered, asked, ("label", REST)))
