"""Replacing what a model is weak at, and only where nothing else suffers (CNNSplitter and GradSplitter, patching)."""

from __future__ import annotations

import statistics

from torch import Tensor

from modelfoundry.core.composing.table import ScoreTable, Selection
from modelfoundry.values.figures import ClassificationMetrics
from modelfoundry.values.results import Replacement


def weak_labels(found: ClassificationMetrics) -> tuple[str, ...]:
    """Labels whose F1 is more than one standard deviation below the mean of all labels, in the order of the labels."""
    scores = [each.f1 for each in found.per_label]
    limit = statistics.fmean(scores) - statistics.pstdev(scores)
    return tuple(each.label for each in found.per_label if each.f1 < limit)


def replace_where_nothing_suffers(
    table: ScoreTable, own: Selection, proposed: Selection
) -> tuple[Selection, tuple[Replacement, ...]]:
    """Takes over replacements one by one, the greatest gain in score first, and refuses those that do harm.

    A replacement is refused when its label's F1 does not rise, or when the accuracy on the images of all other labels
    falls; each is measured beside the replacements that were taken over before it.

    Args:
        table: All candidates, the model's own outputs among them.
        own: The model's own output for every label.
        proposed: What a strategy chose.

    Returns:
        What is taken over, and a report for every label that was to be replaced, in the order tried.
    """
    changed = [place for place, (mine, new) in enumerate(zip(own, proposed, strict=True)) if mine != new]
    gains = {place: table.rows[place][proposed[place]].score - table.rows[place][own[place]].score for place in changed}
    taken, reports = own, []
    for place in sorted(changed, key=lambda place: (-gains[place], place)):
        trial = (*taken[:place], proposed[place], *taken[place + 1 :])
        report = _report(table, place, taken, trial)
        reports.append(report)
        if not report.refusal:
            taken = trial
    return taken, tuple(reports)


def _report(table: ScoreTable, place: int, before: Selection, after: Selection) -> Replacement:
    f1_before, f1_after = (table.metrics(each).per_label[place].f1 for each in (before, after))
    others_before, others_after = (_accuracy_on_others(table, each, place) for each in (before, after))
    refusal = ""
    if f1_after <= f1_before:
        refusal = f"F1 of the label does not rise: {f1_before:.4f} before, {f1_after:.4f} after"
    elif others_after < others_before:
        refusal = f"accuracy on all other labels falls from {others_before:.4f} to {others_after:.4f}"
    return Replacement(
        label=table.labels[place],
        source=table.rows[place][after[place]].candidate.source,
        f1_before=f1_before,
        f1_after=f1_after,
        others_before=others_before,
        others_after=others_after,
        refusal=refusal,
    )


def _accuracy_on_others(table: ScoreTable, selection: Selection, place: int) -> float:
    others: Tensor = table.true != place
    right = table.log_odds(selection).argmax(dim=1) == table.true
    return float(right[others].double().mean()) if bool(others.any()) else 1.0
