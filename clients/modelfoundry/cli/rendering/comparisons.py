"""Evaluations of modules beside those of their base models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelfoundry.client import Evaluation


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured of a subject, and of its base model on the same problem where that was asked for."""

    own: Evaluation
    base_all_outputs: Evaluation | None = None
    base_restricted: Evaluation | None = None


def compare(evaluations: Sequence[Evaluation]) -> list[Comparison]:
    """Puts the baselines beside the modules that they belong to, in the order of the modules."""
    from modelfoundry.client import Scoring

    baselines = {
        (evaluation.module, evaluation.split, evaluation.scoring): evaluation
        for evaluation in evaluations
        if _is_baseline(evaluation)
    }
    return [
        Comparison(
            own,
            baselines.get((own.subject, own.split, Scoring.ALL_OUTPUTS)),
            baselines.get((own.subject, own.split, Scoring.RESTRICTED)),
        )
        for own in evaluations
        if not _is_baseline(own)
    ]


def _is_baseline(evaluation: Evaluation) -> bool:
    return bool(evaluation.module) and evaluation.module != evaluation.subject
