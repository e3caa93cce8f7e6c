"""Evaluations for people: every module beside its base model on the same problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.comparisons import Comparison, compare
from modelfoundry.cli.rendering.discrimination_table import print_discrimination
from modelfoundry.cli.rendering.doubts import print_doubts
from modelfoundry.cli.rendering.problem_text import problem_text
from modelfoundry.cli.rendering.quantities import byte_count, count, percent, percent_interval
from modelfoundry.cli.rendering.tables import Column, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import CostMetrics, Evaluation

COLUMNS = (
    Column("SUBJECT"),
    Column("PROBLEM"),
    Column("ACCURACY", "right"),
    Column("WEIGHTS KEPT", "right"),
    Column("KERNELS KEPT", "right"),
    Column("MACS, SPARSE", "right"),
    Column("SIZE", "right"),
    Column("N", "right"),
    Column("SPLIT"),
)
MODULARITY_COLUMNS = (Column("COHESION", "right"), Column("COUPLING", "right"), Column("REUSE GAIN", "right"))
LATENCY_COLUMNS = (Column("MEDIAN MS (P95)", "right"),)


def print_evaluations(evaluations: Sequence[Evaluation], parent: str) -> None:
    """Prints a row for every subject, with columns for what was measured of any, and how well each tells apart."""
    comparisons = compare(evaluations)
    columns = list(COLUMNS)
    rows = [_row(comparison, parent) for comparison in comparisons]
    for measured, more, cells in (
        (any(c.own.modularity for c in comparisons), MODULARITY_COLUMNS, _modularity_cells),
        (any(c.own.cost and c.own.cost.latencies for c in comparisons), LATENCY_COLUMNS, _latency_cells),
    ):
        if measured:
            columns += more
            rows = [(*row, *cells(comparison.own)) for row, comparison in zip(rows, comparisons, strict=True)]
    print_table(columns, rows, empty="no evaluations")
    print_doubts((_subject(comparison.own, parent), comparison.own.doubts) for comparison in comparisons)
    print_discrimination([(_subject(comparison.own, parent), comparison) for comparison in comparisons])


def accuracy_text(evaluation: Evaluation | None) -> str:
    """Accuracy with its interval and number of samples; empty when nothing was measured."""
    if evaluation is None or evaluation.classification is None:
        return ""
    return f"{_accuracy(evaluation)} on {samples_text(evaluation)} samples"


def samples_text(evaluation: Evaluation) -> str:
    """Number of samples that the accuracy is of, and of all in the split where these are fewer: `60 of 300`."""
    found = evaluation.discrimination
    drawn = found is not None and found.sample_count > evaluation.sample_count
    return f"{evaluation.sample_count} of {found.sample_count}" if found and drawn else str(evaluation.sample_count)


def chosen_from(evaluation: Evaluation) -> str:
    """Which outputs a prediction was chosen from, in words."""
    from modelfoundry.client import Scoring

    within = "the labels of the image's data set" if evaluation.parts else "the problem's labels"
    words = {
        Scoring.RESTRICTED: within,
        Scoring.ENSEMBLE: "ensemble of its sources",
        Scoring.IN_INT8: "all outputs, computed in int8",
    }
    return words.get(evaluation.scoring, "all outputs")


def in_int8(evaluation: Evaluation) -> str:
    """Says so of what a file in int8 answers; empty for others."""
    from modelfoundry.client import Scoring

    return " in int8" if evaluation.scoring is Scoring.IN_INT8 else ""


def datasets_text(evaluation: Evaluation, parent: str) -> str:
    """The data sets that the images come from."""
    names = [part.dataset for part in evaluation.parts] or [evaluation.dataset]
    return ", ".join(short_name(name, parent) for name in names)


def _row(comparison: Comparison, parent: str) -> tuple[str, ...]:
    own = comparison.own
    return (
        _subject(own, parent),
        problem_text(own.problem),
        _accuracy(own) + (" !" if own.doubts else ""),
        percent(own.retention.weight_retention) if own.retention else "",
        percent(own.retention.kernel_retention) if own.retention else "",
        count(own.cost.macs_sparse) if own.cost else "",
        artifact_text(own.cost),
        samples_text(own),
        own.split,
    )


def _latency_cells(evaluation: Evaluation) -> tuple[str, ...]:
    return (latencies_text(evaluation.cost),)


def _modularity_cells(evaluation: Evaluation) -> tuple[str, ...]:
    found = evaluation.modularity
    if found is None:
        return ("", "", "")
    shared = "" if found.coupling is None else percent(found.coupling)
    return (percent(found.cohesion), shared, f"{100 * found.reuse_gain:+.2f} points")


def modularity_text(evaluation: Evaluation) -> str:
    """A module as a software module, in words; empty when it was not measured as one."""
    found = evaluation.modularity
    if found is None:
        return ""
    cohesive, shared, gain = _modularity_cells(evaluation)
    coupled = f", coupling {shared} with {found.coupled_modules} other modules" if shared else ""
    return (
        f"cohesion {cohesive} on {found.cohesion_samples} samples{coupled}, "
        f"kernels kept {percent(found.kernel_retention)}, reuse gain {gain}"
    )


def _subject(evaluation: Evaluation, parent: str) -> str:
    from modelfoundry.client import Scoring

    within = " (within each data set)" if evaluation.parts else " (restricted)"
    words = {Scoring.RESTRICTED: within, Scoring.ENSEMBLE: " (ensemble of its sources)", Scoring.IN_INT8: " (in int8)"}
    return short_name(evaluation.subject, parent) + words.get(evaluation.scoring, "")


def _accuracy(evaluation: Evaluation | None) -> str:
    if evaluation is None or evaluation.classification is None:
        return ""
    measured, interval = evaluation.classification, evaluation.classification.accuracy_interval
    if interval is None:
        return percent(measured.accuracy, 2)
    return percent_interval(measured.accuracy, interval.lower, interval.upper)


def artifact_text(cost: CostMetrics | None) -> str:
    """What it takes to store; empty for what is stored in others, as a composition is in its members."""
    return byte_count(cost.artifact_bytes) if cost and cost.artifact_bytes else ""


def latencies_text(cost: CostMetrics | None) -> str:
    """Times of a forward pass by batch size; empty when none were measured."""
    if cost is None:
        return ""
    return ", ".join(f"batch {time.batch_size}: {time.median_ms:.2f} ({time.p95_ms:.2f})" for time in cost.latencies)
