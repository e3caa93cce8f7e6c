"""Target problems in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from modelfoundry.client import Problem

LABELS_SHOWN: Final = 6


def problem_text(problem: Problem | None) -> str:
    """`horse against the rest`, `horse, cow or dog`, `horse or cow, or none of them`, or `all labels`."""
    if problem is None:
        return "all labels"
    if len(problem.labels) == 1:
        return f"{problem.labels[0]} against the rest"
    if problem.outputs != problem.labels:
        return f"{labels_text(problem.labels)}, or none of them"
    return labels_text(problem.labels)


def labels_text(labels: tuple[str, ...]) -> str:
    """`horse, cow or dog`; of many labels only the first and how many more there are."""
    if len(labels) > LABELS_SHOWN:
        return f"{', '.join(labels[:LABELS_SHOWN])} or {len(labels) - LABELS_SHOWN} more"
    return f"{', '.join(labels[:-1])} or {labels[-1]}" if len(labels) > 1 else labels[0]
