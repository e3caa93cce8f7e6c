"""Writes down what happens to resources, in the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import event, insert, update
from sqlalchemy.orm import Session, UOWTransaction
from sqlmodel import col

from modelfoundry.registry.database import Database
from modelfoundry.registry.records.event_tables import (
    EventCounterRow,
    EventRow,
)
from modelfoundry.registry.records.tables import EvaluationRow, ResourceRow
from modelfoundry.values.lineage import EventKind

_CHANGES: Final = "modelfoundry_changes"
_TOLD: Final = "modelfoundry_told"
_RENAMES: Final = {EventKind.DELETED, EventKind.ALIASED, EventKind.UNALIASED}


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a resource."""

    kind: EventKind
    resource: str
    digest: str = ""
    etag: str = ""
    evaluation: str = ""
    """For EVALUATED: the measurement."""
    alias: str = ""
    """For ALIASED and UNALIASED: the alias."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a transaction that was committed wrote into the journal."""

    newest: int
    """Number of its last event."""
    renames: bool
    """Whether a name means something else since, or nothing any more."""


def told_by(session: Session) -> Told | None:
    """What a transaction told; None where nothing happened to a resource."""
    told: Told | None = session.info.get(_TOLD)
    return told


def note(session: Session, change: Happening) -> None:
    """Has a change told when the transaction commits, for what is no change of a resource's own row."""
    session.info.setdefault(_CHANGES, []).append(change)


class Journal:
    """Listens to all writing transactions of a database, so that no collection can forget to tell of a change.

    Args:
        now: The clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def keep(self, database: Database) -> None:
        """From here on, every resource that is stored, changed or deleted in a session makes an event."""
        event.listen(database.writers, "after_flush", _note_flushed)
        event.listen(database.writers, "before_commit", self._write)

    def _write(self, session: Session) -> None:
        # Here and not while flushing: the counter is the last row that a transaction takes, so that two cannot wait
        # for each other, and it is held for a short time.
        session.flush()
        changes: list[Happening] = session.info.pop(_CHANGES, [])
        if not changes:
            return
        last = col(EventCounterRow.last_sequence)
        counted = update(EventCounterRow).values(last_sequence=last + len(changes)).returning(last)
        newest = session.execute(counted).scalar_one()
        now = self._now()
        rows = [_values(change, newest - len(changes) + number, now) for number, change in enumerate(changes, start=1)]
        session.execute(insert(EventRow), rows)
        session.info[_TOLD] = Told(newest, any(change.kind in _RENAMES for change in changes))


def _note_flushed(session: Session, _flush: UOWTransaction) -> None:
    for row in session.new:
        if isinstance(row, ResourceRow):
            note(session, _change(EventKind.CREATED, row))
        if isinstance(row, EvaluationRow):
            note(session, Happening(EventKind.EVALUATED, row.subject, row.subject_digest, evaluation=row.name))
    for row in session.dirty:
        if isinstance(row, ResourceRow) and session.is_modified(row):
            note(session, _change(EventKind.UPDATED, row))
    for row in session.deleted:
        if isinstance(row, ResourceRow):
            note(session, _change(EventKind.DELETED, row))


def _change(kind: EventKind, row: ResourceRow) -> Happening:
    return Happening(kind, row.name, row.content_digest, getattr(row, "etag", ""))


def _values(change: Happening, sequence: int, now: datetime) -> dict[str, object]:
    _, project, collection, _ = change.resource.split("/")
    return {
        "sequence": sequence,
        "project": project,
        "kind": change.kind,
        "collection": collection,
        "resource": change.resource,
        "digest": change.digest,
        "etag": change.etag,
        "evaluation": change.evaluation,
        "alias": change.alias,
        "event_time": now,
    }
