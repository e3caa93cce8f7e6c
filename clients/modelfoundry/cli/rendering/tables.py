"""Tables and fact sheets for people, on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH_WITHOUT_TERMINAL: Final = 220


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title and to which side its figures stand."""

    title: str
    justify: Literal["left", "right"] = "left"


def stdout_console() -> Console:
    """The console for results. Where stdout is no terminal, rows are wide enough to stay on one line."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)


def stderr_console() -> Console:
    """The console for progress and remarks."""
    return Console(stderr=True, highlight=False)


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str = "nothing") -> None:
    """Prints rows under columns.

    Args:
        columns: Titles and alignments.
        rows: One text for every column.
        empty: What is said when there are no rows.
    """
    lines = list(rows)
    if not lines:
        stdout_console().print(empty, markup=False)
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify=column.justify, no_wrap=column.justify == "right")
    for line in lines:
        table.add_row(*(escape(cell) for cell in line))
    stdout_console().print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Prints what is known about one thing, a fact a line; empty facts are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for title, text in facts:
        if text:
            table.add_row(title, escape(text))
    stdout_console().print(table)


def print_line(text: str) -> None:
    """Prints one line on stdout, never broken."""
    stdout_console().print(text, markup=False, soft_wrap=True)


def print_remark(text: str) -> None:
    """Prints one line on stderr, never broken."""
    stderr_console().print(text, markup=False, soft_wrap=True)
