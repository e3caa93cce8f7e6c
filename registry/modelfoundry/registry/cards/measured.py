"""What was measured, as a table of a card, with what its rows are and how far a module lies from its base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from modelfoundry.registry.cards.quantities import difference_points, percent, percent_range, short
from modelfoundry.registry.cards.sheet import Measurement, Sheet
from modelfoundry.registry.cards.texts import escaped, table
from modelfoundry.values.figures import Interval
from modelfoundry.values.resources import Scoring

SCORINGS: Final = {
    Scoring.ALL_OUTPUTS: "",
    Scoring.RESTRICTED: ", restricted to these labels",
    Scoring.ENSEMBLE: ", ensemble of what it was made of",
    Scoring.IN_INT8: ", computed in int8",
}
AT_PRIOR: Final = ", at the prior"
HEADER: Final = (
    *("Measured", "Data set", "Split", "Images", "Accuracy", "95 % interval", "Precision", "Recall", "F1"),
    *("Balanced accuracy, all images", "AUC, all images"),
)
LEGEND: Final = (
    "Accuracy, precision, recall and F1: on the images posed, of a rest as many as of the labels. Balanced accuracy "
    "and AUC, the area under the ROC curve: on all images of the split."
)
PRIOR_LEGEND: Final = (
    "At the prior: the log-odds of the base model decide, at a threshold that follows from the number of labels and is "
    "fitted on no data. A problem is posed half and half, the base answers for one label among all of its own."
)
DIFFERENCES: Final = {
    "accuracy": "accuracy, the base among all its labels",
    "accuracy_restricted": "accuracy, the base restricted to these labels",
    "accuracy_at_prior": "accuracy, the base at the prior",
    "balanced_accuracy": "balanced accuracy, the base among all its labels",
    "balanced_accuracy_at_prior": "balanced accuracy, the base at the prior",
    "auc": "AUC",
}
"""Fields of `BaseComparison`, in words."""


def results(card: Sheet) -> Iterator[str]:
    """A table of all measurements, and below it what has to be known to read it."""
    rows = [row for result in card.results for row in _rows(card, result)]
    yield table(HEADER, [tuple(map(escaped, row)) for row in rows])
    if any(result.discrimination for result in card.results):
        yield escaped(LEGEND)
    if any(AT_PRIOR in row[0] for row in rows):
        yield escaped(PRIOR_LEGEND)
    for result in card.results:
        yield from _differences(result)


def _rows(card: Sheet, result: Measurement) -> Iterator[tuple[str, ...]]:
    who = "this" if result.subject == card.name else short(result.subject)
    about = f" on {', '.join(result.problem_labels)}" if result.problem_labels else ""
    found = result.discrimination
    where = (short(result.dataset), result.split, _images(result))
    area = _figure(found.auc, found.auc_interval) if found else "-"
    yield (
        f"{who}{SCORINGS.get(result.scoring, '')}{about}",
        *where,
        percent(result.accuracy),
        percent_range(result.accuracy_interval),
        percent(result.precision),
        percent(result.recall),
        percent(result.f1),
        _figure(found.balanced_accuracy, found.balanced_accuracy_interval) if found else "-",
        area,
    )
    # A base model has the same answer there in every scoring.
    if found is not None and found.at_prior is not None and result.scoring == Scoring.ALL_OUTPUTS:
        prior = found.at_prior
        yield (
            f"{who}{AT_PRIOR}{about}",
            *where,
            percent(prior.accuracy),
            percent_range(prior.accuracy_interval),
            *("-", "-", "-"),
            _figure(prior.balanced_accuracy, prior.balanced_accuracy_interval),
            area,
        )


def _images(result: Measurement) -> str:
    """Images that accuracy is of, and of all in the split where these are fewer."""
    posed, found = result.sample_count, result.discrimination
    whole = found.sample_count if found else posed
    return f"{posed:,} of {whole:,}" if whole > posed else f"{posed:,}"


def _differences(result: Measurement) -> Iterator[str]:
    """How far a module lies from its base on the same images."""
    if result.against_base is None:
        return
    named = [(field.name, getattr(result.against_base, field.name)) for field in fields(result.against_base)]
    lines = [f"- {DIFFERENCES[name]}: {difference_points(value)}" for name, value in named if value is not None]
    yield (
        f"Module minus base on the same images of {escaped(result.split)} of {escaped(short(result.dataset))}; the "
        "base is better where an interval lies below 0:"
    )
    yield "\n".join(lines)


def _figure(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "-"
    return percent(value) if interval is None else f"{percent(value)} ({percent_range(interval)})"
