"""Answers to requests for modules, for people: which, why, and what was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.doubts import print_doubts
from modelfoundry.cli.rendering.export_text import export_lines
from modelfoundry.cli.rendering.quantities import OPTIMISTIC, byte_count, chosen_figure, percent
from modelfoundry.cli.rendering.tables import Column, print_line, print_remark, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.cli.destination import WrittenFile
    from modelfoundry.client import Composition, RequestedModule, RequestedModules

COLUMNS = (
    Column("LABEL"),
    Column("MODULE"),
    Column("FROM"),
    Column("OF"),
    Column("VALIDATION", "right"),
    Column("LOWER BOUND", "right"),
    Column("SAMPLES", "right"),
    Column("MS", "right"),
    Column("MACS OF BASE", "right"),
    Column("TIME OF BASE", "right"),
    Column("SIZE", "right"),
)


def print_plan(answers: Sequence[RequestedModule], parent: str) -> None:
    """Says on stderr, before the wait, what becomes of every label."""
    for answer in answers:
        print_remark(f"{_named(answer)}: {_shortened(answer.reason, parent)}")


def print_delivered(delivered: RequestedModules, files: Sequence[WrittenFile], parent: str) -> None:
    """Prints a row and the reason for every label, then the classifier and the files."""
    doubted = {module.name: module.doubts for module in delivered.modules if module.doubts}
    print_answers(delivered.answers, parent, frozenset(doubted))
    print_doubts((short_name(name, parent), doubts) for name, doubts in doubted.items())
    if delivered.composition is not None:
        print_line("")
        print_line(_composition_text(delivered.composition))
        print_doubts([(f"compositions/{delivered.composition.id}", delivered.composition.doubts)])
    if files:
        print_line("")
    for file in files:
        print_line(f"{file.path}  {byte_count(file.size_bytes)}")
    for export in delivered.exports:
        for line in export_lines(export):
            print_line(f"{short_name(export.subject, parent)}: {line}")


def print_answers(answers: Sequence[RequestedModule], parent: str, doubted: frozenset[str] = frozenset()) -> None:
    """Prints a row and the reason for every label; `doubted` are names of modules to be marked."""
    print_table(COLUMNS, [_row(answer, parent, doubted=answer.module in doubted) for answer in answers])
    print_remark(OPTIMISTIC)
    print_line("")
    for answer in answers:
        print_line(f"{_named(answer)}: {_shortened(answer.reason, parent)}")


def _row(answer: RequestedModule, parent: str, *, doubted: bool) -> tuple[str, ...]:
    figures = answer.figures
    known = figures.validation_accuracy is not None
    return (
        answer.label,
        short_name(answer.module, parent),
        "made now" if answer.origin == "made" else answer.origin.value,
        short_name(answer.model, parent),
        ""
        if figures.validation_accuracy is None
        else chosen_figure(figures.validation_accuracy, figures.validation_samples, doubted=doubted),
        percent(figures.accuracy_lower_bound) if known else "",
        f"{figures.validation_samples:,}" if known else "",
        "" if figures.latency_ms is None else f"{figures.latency_ms:.2f}",
        "" if figures.macs is None else percent(figures.macs),
        "" if figures.latency is None else percent(figures.latency),
        byte_count(figures.size_bytes),
    )


def _named(answer: RequestedModule) -> str:
    """The label, with what models call it where that is another word."""
    match = answer.match
    if match.label == answer.label:
        return answer.label
    why = f", a synonym in {match.vocabulary.rpartition('/')[2]}" if match.vocabulary else ""
    return f"{answer.label} (known as {match.label}{why})"


def _composition_text(composition: Composition) -> str:
    record = composition.record
    return (
        f"compositions/{composition.id}: validation accuracy {percent(record.validation_accuracy)} on "
        f"{record.validation_samples:,} samples, optimistic: it was chosen on them"
    )


def _shortened(reason: str, parent: str) -> str:
    return reason.replace(f"{parent}/", "")
