"""Results of searches and vocabularies, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.doubts import print_doubts
from modelfoundry.cli.rendering.problem_text import problem_text
from modelfoundry.cli.rendering.quantities import byte_count, moment, percent
from modelfoundry.cli.rendering.tables import Column, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import MeasuredSummary, SearchResult, Vocabulary

COLUMNS = (
    Column("MODULE"),
    Column("PROBLEM"),
    Column("OF"),
    Column("TEST ACCURACY", "right"),
    Column("F1", "right"),
    Column("BALANCED, ALL", "right"),
    Column("AUC, ALL", "right"),
    Column("MS", "right"),
    Column("SIZE", "right"),
    Column("LICENCE"),
    Column("WHY"),
)
VOCABULARY_COLUMNS = (Column("VOCABULARY"), Column("NAME"), Column("TERMS", "right"), Column("CREATED"))


def print_results(results: Iterable[SearchResult], parent: str) -> None:
    """Prints a row for every result, with the strongest reason."""
    found = list(results)
    print_table(COLUMNS, [_row(result, parent) for result in found], empty="no modules found")
    print_doubts((short_name(result.module.name, parent), result.module.doubts) for result in found)


def print_vocabularies(vocabularies: Iterable[Vocabulary], parent: str) -> None:
    """Prints a row for every vocabulary."""
    rows = [
        (
            short_name(vocabulary.name, parent),
            vocabulary.display_name,
            f"{vocabulary.term_count:,}",
            "built in" if vocabulary.built_in else moment(vocabulary.create_time),
        )
        for vocabulary in vocabularies
    ]
    print_table(VOCABULARY_COLUMNS, rows, empty="no vocabularies")


def areas(measured: MeasuredSummary) -> tuple[str, str]:
    """Balanced accuracy and AUC, on all images of the test split; empty where they were not measured."""
    return (
        "" if measured.balanced_accuracy is None else percent(measured.balanced_accuracy, 2),
        "" if measured.auc is None else percent(measured.auc, 2),
    )


def _row(result: SearchResult, parent: str) -> tuple[str, ...]:
    module, measured = result.module, result.measured
    return (
        short_name(module.name, parent) + (" !" if module.doubts else ""),
        problem_text(module.problem),
        short_name(module.base_model, parent),
        "" if measured.accuracy is None else percent(measured.accuracy),
        "" if measured.f1 is None else percent(measured.f1),
        *areas(measured),
        "" if measured.latency_ms is None else f"{measured.latency_ms:.2f}",
        byte_count(module.artifact.size_bytes),
        module.license,
        str(result.matches[0]) if result.matches else "",
    )
