"""Removes several resources, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelfoundry.cli.rendering.json_output import print_json
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session


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
