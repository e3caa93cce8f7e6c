"""How well modules tell their problems apart, for people: beside every way in which the base answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from modelfoundry.cli.rendering.comparisons import Comparison
from modelfoundry.cli.rendering.quantities import difference_points, percent, percent_interval
from modelfoundry.cli.rendering.tables import Column, print_line, print_table

if TYPE_CHECKING:
    from modelfoundry.client import BaseComparison, DiscriminationMetrics, Evaluation, Interval

COLUMNS: Final = (
    Column("ANSWERS OF"),
    Column("ACCURACY", "right"),
    Column("BALANCED, ALL", "right"),
    Column("AUC, ALL", "right"),
    Column("MODULE - BASE", "right"),
)
NOT_KNOWN: Final = "-"
ALL_LABELS: Final = "base, all labels"
RESTRICTED: Final = "base, restricted"
AT_PRIOR: Final = "base, at the prior"
LEGENDS: Final = {
    "": "accuracy: on the N samples posed; balanced accuracy, area under the ROC curve: on all samples of the split",
    ALL_LABELS: f"{ALL_LABELS}: the greatest of all its outputs decides",
    RESTRICTED: f"{RESTRICTED}: the greatest of its outputs for the problem's labels decides",
    AT_PRIOR: f"{AT_PRIOR}: its log-odds decide, at a threshold that the number of labels gives, fitted on no data",
}
DIFFERENCE: Final = "module - base: points of accuracy, same samples; the base is better where the interval is below 0"


def print_discrimination(named: Sequence[tuple[str, Comparison]]) -> None:
    """Prints how well every subject tells its problem apart, its base below it, and a line on each way of answering.

    Nothing is printed where neither all samples nor a base were measured.
    """
    told = [(name, each) for name, each in named if each.own.discrimination or each.base_all_outputs]
    if not told:
        return
    rows = [row for name, comparison in told for row in _rows(name, comparison)]
    compared = any(each.own.against_base for _, each in told)
    columns = COLUMNS if compared else COLUMNS[:-1]
    print_line("")
    print_table(columns, [row[: len(columns)] for row in rows])
    ways = {row[0].strip() for row in rows}
    for line in (text for way, text in LEGENDS.items() if not way or way in ways):
        print_line(line)
    if compared:
        print_line(DIFFERENCE)


def figure(value: float | None, interval: Interval | None) -> str:
    """A share with its interval; a dash where it is not known."""
    if value is None:
        return NOT_KNOWN
    return percent(value, 2) if interval is None else percent_interval(value, interval.lower, interval.upper)


def beside_base(evaluation: Evaluation) -> str:
    """Balanced accuracy, AUC, and accuracy minus that of the base, on one line; empty where nothing is known."""
    found, compared = evaluation.discrimination, evaluation.against_base
    parts = []
    if found is not None:
        parts.append(f"balanced {figure(found.balanced_accuracy, found.balanced_accuracy_interval)}")
        parts.append(f"AUC {figure(found.auc, found.auc_interval)} on all {found.sample_count}")
    if compared is not None:
        fair = compared.accuracy_at_prior or compared.accuracy_restricted
        way = AT_PRIOR if compared.accuracy_at_prior else RESTRICTED
        parts.append(f"minus {ALL_LABELS}: {difference_points(compared.accuracy)}")
        parts.append(f"minus {way}: {difference_points(fair)} points")
    return "; ".join(parts)


def discrimination_facts(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """What is known of all samples, and of the difference from the base, a fact each."""
    found = evaluation.discrimination
    if found is not None:
        yield "all samples", f"{found.sample_count}, {found.positive_count} of them with a label of the problem"
        yield "AUC", figure(found.auc, found.auc_interval)
        yield "balanced accuracy", figure(found.balanced_accuracy, found.balanced_accuracy_interval)
    if found is not None and (prior := found.at_prior) is not None:
        own, balanced = figure(prior.accuracy, prior.accuracy_interval), _prior_balanced(found)
        yield "at the prior", f"{own}, balanced {balanced}, log-odds above {prior.log_odds:.3f}"
    if evaluation.against_base is not None:
        yield from _difference_facts(evaluation.against_base)


def _difference_facts(found: BaseComparison) -> Iterator[tuple[str, str]]:
    for title, difference, balanced in (
        (ALL_LABELS, found.accuracy, found.balanced_accuracy),
        (RESTRICTED, found.accuracy_restricted, None),
        (AT_PRIOR, found.accuracy_at_prior, found.balanced_accuracy_at_prior),
    ):
        if difference is not None:
            more = f", balanced {difference_points(balanced)}" if balanced is not None else ""
            yield f"module - {title}", f"{difference_points(difference)} points{more}"
    if found.auc is not None:
        yield "module - base, AUC", f"{difference_points(found.auc)} points"


def _rows(name: str, comparison: Comparison) -> Iterator[tuple[str, ...]]:
    own, base = comparison.own, comparison.base_all_outputs
    yield (name, *_figures(own), "")
    if base is None:
        yield from _prior_rows(own)
        return
    found = own.against_base
    yield (f"  {ALL_LABELS}", *_figures(base), difference_points(found.accuracy if found else None))
    if (restricted := comparison.base_restricted) is not None and not _same_answers(base, restricted):
        difference = difference_points(found.accuracy_restricted if found else None)
        yield (f"  {RESTRICTED}", *_figures(restricted), difference)
    yield from _prior_rows(base, found)


def _prior_rows(base: Evaluation, compared: BaseComparison | None = None) -> Iterator[tuple[str, ...]]:
    found = base.discrimination
    if found is not None and (prior := found.at_prior) is not None:
        yield (
            f"  {AT_PRIOR}",
            figure(prior.accuracy, prior.accuracy_interval),
            _prior_balanced(found),
            figure(found.auc, found.auc_interval),
            difference_points(compared.accuracy_at_prior if compared else None),
        )


def _figures(evaluation: Evaluation) -> tuple[str, str, str]:
    measured, found = evaluation.classification, evaluation.discrimination
    return (
        figure(measured.accuracy, measured.accuracy_interval) if measured else NOT_KNOWN,
        figure(found.balanced_accuracy, found.balanced_accuracy_interval) if found else NOT_KNOWN,
        figure(found.auc, found.auc_interval) if found else NOT_KNOWN,
    )


def _prior_balanced(found: DiscriminationMetrics) -> str:
    prior = found.at_prior
    return figure(prior.balanced_accuracy, prior.balanced_accuracy_interval) if prior else NOT_KNOWN


def _same_answers(base: Evaluation, restricted: Evaluation) -> bool:
    """With a rest the two ways of answering are one, and give equal figures."""
    from modelfoundry.client import MultiClassProblem

    return not isinstance(base.problem, MultiClassProblem) and base.classification == restricted.classification
