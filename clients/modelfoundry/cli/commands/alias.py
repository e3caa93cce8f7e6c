"""`modelfoundry module alias ...`, and the same for other collections whose resources form families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.rendering.quantities import moment
from modelfoundry.cli.rendering.tables import Column, print_line, print_table
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import Alias, AliasMove

AliasArgument = Annotated[str, typer.Argument(help="FAMILY@ALIAS, for example cat@champion.")]
TargetArgument = Annotated[str, typer.Argument(help="What it will stand for: id, name, FAMILY@ALIAS or FAMILY@3.")]
ExpectOption = Annotated[
    str | None,
    typer.Option("--expect", help="Refuse unless it stands for this now; '' for an alias that is not there yet."),
]


def alias_commands(collection: str) -> typer.Typer:
    """The commands for one collection: `modules`, `models`, ..."""
    app = typer.Typer(help="Names that stay while what they stand for moves on.")

    @command(app, "set")
    def set_alias(
        session: Session,
        *,
        alias: AliasArgument,
        target: TargetArgument,
        expect: ExpectOption = None,
    ) -> None:
        """Move an alias, or make it; a target without a family becomes its next version."""
        with session.client() as client:
            moved = client.aliases.set(_name(session, collection, alias), target, expected=expect)
        text = f"{session.short(moved.name)} stands for {session.short(moved.target)}, version {moved.version}"
        session.answer(moved, lambda: print_line(text))

    @command(app, "list")
    def list_aliases(session: Session) -> None:
        """List aliases."""
        with session.client() as client:
            aliases = list(client.aliases.list(f'collection = "{collection}"'))
        session.answer(aliases, lambda: _show_aliases(session, aliases))

    @command(app, "history")
    def history(session: Session, alias: AliasArgument) -> None:
        """List what an alias stood for, newest first."""
        with session.client() as client:
            moves = list(client.aliases.moves(f'alias = "{_name(session, collection, alias)}"'))
        session.answer(moves, lambda: _show_moves(session, moves))

    @command(app, "rm")
    def remove(session: Session, *, alias: AliasArgument, expect: ExpectOption = None) -> None:
        """Remove an alias; its history stays."""
        with session.client() as client:
            client.aliases.delete(_name(session, collection, alias), expected=expect)
        session.answer({"removed": [alias]}, lambda: print_line(f"removed {alias}"))

    return app


def _name(session: Session, collection: str, alias: str) -> str:
    return alias if "/" in alias else f"{session.parent}/{collection}/{alias}"


def _show_aliases(session: Session, aliases: list[Alias]) -> None:
    columns = [Column("ALIAS"), Column("STANDS FOR"), Column("VERSION", "right"), Column("SINCE")]
    rows = [
        (session.short(alias.name), session.short(alias.target), str(alias.version), moment(alias.update_time))
        for alias in aliases
    ]
    print_table(columns, rows, empty="no aliases")


def _show_moves(session: Session, moves: list[AliasMove]) -> None:
    rows = [(moment(move.move_time), session.short(move.previous_target), session.short(move.target)) for move in moves]
    print_table([Column("WHEN"), Column("FROM"), Column("TO")], rows, empty="no moves")
