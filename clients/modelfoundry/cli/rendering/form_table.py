"""A module's original, masked and compacted form side by side, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.quantities import byte_count, count
from modelfoundry.cli.rendering.tables import Column, print_line, print_table

if TYPE_CHECKING:
    from modelfoundry.client import FormComparison, FormCost

COLUMNS = (
    Column("FORM"),
    Column("FILE", "right"),
    Column("PARAMETERS", "right"),
    Column("MACS, DENSE", "right"),
)


def print_forms(forms: FormComparison) -> None:
    """Prints a row for every form, and what was seen when they were compared."""
    batches = [Column(f"BATCH {time.batch_size}: MEDIAN MS (P95)", "right") for time in forms.original.latencies]
    print_table([*COLUMNS, *batches], [(name, *_cells(form), *_times(form)) for name, form in _named(forms)])
    print_line(f"largest difference of logits, masked and compacted: {forms.max_difference:.1e}")
    if forms.held_layers:
        print_line(f"one channel stays in {held_text(forms)}: all were dropped")


def form_facts(forms: FormComparison | None) -> list[tuple[str, str]]:
    """The same as facts of a module; none when it was not measured."""
    if forms is None:
        return []
    facts = [(name, _form_text(form)) for name, form in _named(forms)]
    return [
        *facts,
        ("masked - compacted", f"{forms.max_difference:.1e}, the largest difference of logits"),
        ("one channel stays in", held_text(forms)),
    ]


def held_text(forms: FormComparison) -> str:
    """Layers that would be empty."""
    return ", ".join(forms.held_layers)


def _named(forms: FormComparison) -> tuple[tuple[str, FormCost], ...]:
    return ("original", forms.original), ("masked", forms.masked), ("compacted", forms.compacted)


def _cells(form: FormCost) -> tuple[str, str, str]:
    return byte_count(form.stored_bytes), f"{form.parameters:,}", count(form.macs_dense)


def _times(form: FormCost) -> list[str]:
    return [f"{time.median_ms:.2f} ({time.p95_ms:.2f})" for time in form.latencies]


def _form_text(form: FormCost) -> str:
    size, parameters, macs = _cells(form)
    times = [f"{time.median_ms:.2f} ms at batch {time.batch_size}" for time in form.latencies]
    return ", ".join([f"{size} file", f"{parameters} parameters", f"{macs} dense MACs", *times])
