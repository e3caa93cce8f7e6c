"""Stored evaluations for people: a row for each, and everything about one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.discrimination_table import discrimination_facts
from modelfoundry.cli.rendering.doubts import print_doubts
from modelfoundry.cli.rendering.evaluation_table import (
    accuracy_text,
    artifact_text,
    chosen_from,
    datasets_text,
    latencies_text,
    modularity_text,
)
from modelfoundry.cli.rendering.problem_text import labels_text, problem_text
from modelfoundry.cli.rendering.quantities import count, moment, percent
from modelfoundry.cli.rendering.tables import Column, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import Evaluation

COLUMNS = (
    Column("EVALUATION"),
    Column("SUBJECT"),
    Column("PROBLEM"),
    Column("CHOSEN FROM"),
    Column("DATA SET"),
    Column("SPLIT"),
    Column("ACCURACY", "right"),
    Column("CREATED"),
)


def print_stored(evaluations: Iterable[Evaluation], parent: str) -> None:
    """Prints a row for every evaluation, baselines too: each can be removed by itself."""
    listed = list(evaluations)
    print_table(COLUMNS, [_row(evaluation, parent) for evaluation in listed], empty="no evaluations")
    print_doubts((short_name(evaluation.name, parent), evaluation.doubts) for evaluation in listed)


def evaluation_facts(evaluation: Evaluation, parent: str) -> list[tuple[str, str]]:
    """Everything about one evaluation."""
    environment = evaluation.environment
    return [
        ("name", evaluation.name),
        ("subject", f"{_subject(evaluation, parent)}  {evaluation.subject_digest}"),
        ("for module", short_name(evaluation.module, parent)),
        ("problem", problem_text(evaluation.problem)),
        ("chosen from", chosen_from(evaluation)),
        *_datasets(evaluation, parent),
        ("split", evaluation.split),
        ("accuracy", accuracy_text(evaluation)),
        *[("doubt", doubt.text) for doubt in evaluation.doubts],
        *_scores(evaluation),
        *discrimination_facts(evaluation),
        *_retention_and_cost(evaluation),
        ("modularity", modularity_text(evaluation)),
        ("device", environment.device),
        ("libraries", ", ".join(f"{name} {version}" for name, version in sorted(environment.libraries.items()))),
        ("made by", short_name(evaluation.operation, parent)),
        ("created", moment(evaluation.create_time)),
    ]


def _row(evaluation: Evaluation, parent: str) -> tuple[str, ...]:
    return (
        short_name(evaluation.name, parent),
        _subject(evaluation, parent),
        problem_text(evaluation.problem),
        chosen_from(evaluation),
        datasets_text(evaluation, parent),
        evaluation.split,
        accuracy_text(evaluation) + (" !" if evaluation.doubts else ""),
        moment(evaluation.create_time),
    )


def _subject(evaluation: Evaluation, parent: str) -> str:
    """With its collection: a model and a module may have the same id."""
    return evaluation.subject.removeprefix(f"{parent}/")


def _datasets(evaluation: Evaluation, parent: str) -> list[tuple[str, str]]:
    if not evaluation.parts:
        return [("data set", f"{short_name(evaluation.dataset, parent)}  {evaluation.dataset_digest}")]
    return [
        (
            "data set",
            f"{short_name(part.dataset, parent)}  {part.dataset_digest}, {labels_text(part.labels)} on "
            f"{part.sample_count} samples",
        )
        for part in evaluation.parts
    ]


def _scores(evaluation: Evaluation) -> list[tuple[str, str]]:
    scores = evaluation.classification
    if scores is None:
        return []
    return [("precision", percent(scores.precision)), ("recall", percent(scores.recall)), ("F1", percent(scores.f1))]


def _retention_and_cost(evaluation: Evaluation) -> list[tuple[str, str]]:
    retention, cost = evaluation.retention, evaluation.cost
    return [
        ("weights kept", percent(retention.weight_retention) if retention else ""),
        ("kernels kept", percent(retention.kernel_retention) if retention else ""),
        ("MACs, sparse", count(cost.macs_sparse) if cost else ""),
        ("MACs, dense", count(cost.macs_dense) if cost else ""),
        ("size", artifact_text(cost)),
        ("median ms (p95)", latencies_text(cost)),
    ]
