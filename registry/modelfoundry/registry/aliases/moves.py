"""Writes down what aliases stood for, and tells of it."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from modelfoundry.registry.aliases.tables import AliasMoveRow, AliasRow
from modelfoundry.registry.catalog.tables import resource_tables
from modelfoundry.registry.events.journal import Change, note
from modelfoundry.registry.events.tables import EventKind


def record_move(session: Session, alias: AliasRow, previous: str, target: str, now: datetime) -> None:
    """Adds a move to an alias's history, and the event of it.

    Args:
        session: The transaction of the move.
        alias: The alias.
        previous: What it stood for; empty: it is being made.
        target: What it stands for from now on; empty: it is being removed.
        now: When.
    """
    session.add(
        AliasMoveRow(project=alias.project, alias=alias.name, previous_target=previous, target=target, move_time=now)
    )
    named = target or previous
    row = session.get_one(resource_tables()[alias.collection], named)
    kind = EventKind.ALIASED if target else EventKind.UNALIASED
    note(session, Change(kind, named, row.content_digest, getattr(row, "etag", ""), alias=alias.name))
