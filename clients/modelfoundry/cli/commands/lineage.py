"""`modelfoundry lineage`: where something came from, and what came from it."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_subjects
from modelfoundry.cli.rendering.lineage_tree import print_lineage
from modelfoundry.cli.session import Session
from modelfoundry.errors import InvalidField


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "lineage")(lineage)


def lineage(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(
            help="A module's id, or another resource or job as in models/ID, datasets/ID, operations/ID.",
            autocompletion=complete_subjects,
        ),
    ],
    *,
    depth: Annotated[int, typer.Option("--depth", help="Steps at most.", min=1, max=100)] = 10,
    up: Annotated[bool, typer.Option("--up", help="Only what it came from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came from it.")] = False,
) -> None:
    """Show where something came from and what came from it, as a tree."""
    from modelfoundry.client import Direction

    if up and down:
        raise InvalidField("--up and --down exclude each other", field="--up", hint="leave both away to see both")
    direction = Direction.ANCESTORS if up else Direction.DESCENDANTS if down else Direction.BOTH
    with session.client() as client:
        found = client.lineage(name, depth=depth, direction=direction)
    session.answer(found, lambda: print_lineage(found, session.parent))
