"""Removes several resources, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import typer

from modelfoundry.cli.rendering.json_output import print_json
from modelfoundry.cli.rendering.tables import print_line, print_remark
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import Client


class CascadingDelete(Protocol):
    """Deletes a resource, with what depends on it when asked for."""

    def __call__(self, name: str, /, *, cascade: bool) -> None:
        """Deletes it."""


def remove_all(session: Session, names: Sequence[str], delete: Callable[[str], None]) -> None:
    """Removes what is named and says so for each; the first failure stops it."""
    removed: list[str] = []
    try:
        for name in names:
            delete(name)
            removed.append(name)
            if not session.as_json:
                print_line(f"removed {name}")
    finally:
        if session.as_json:
            print_json({"removed": removed})


def remove_cascading(
    session: Session, client: Client, collection: str, names: Sequence[str], delete: CascadingDelete, *, yes: bool
) -> None:
    """Says what depends on what is named, asks on a terminal whether all of it is meant, and removes it.

    Args:
        session: The command's.
        client: The services.
        collection: What bare ids name, for example `models`.
        names: Ids or names.
        delete: Deletes one of them.
        yes: Do not ask.

    Raises:
        typer.Abort: the answer was no.
    """
    for name in names:
        dependents = client.dependents(name if "/" in name else f"{collection}/{name}")
        print_remark(f"with {name} go {dependents.total_count} that depend on it")
        for node in dependents.nodes:
            print_remark(f"  {node.name.removeprefix(f'{session.parent}/')}")
        if dependents.total_count > len(dependents.nodes):
            print_remark(f"  and {dependents.total_count - len(dependents.nodes)} more")
        for alias in dependents.aliases:
            print_remark(f"  and the alias {alias.removeprefix(f'{session.parent}/')}")
    if not yes and sys.stdin.isatty():
        typer.confirm("Remove all of this?", abort=True, err=True)
    remove_all(session, names, lambda name: delete(name, cascade=True))
