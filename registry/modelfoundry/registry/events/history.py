"""Events that happened, as far back as they are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from modelfoundry.errors import CursorExpired, InvalidField
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.event_tables import (
    EventCounterRow,
    EventRow,
)
from modelfoundry.values.lineage import EventKind, RegistryEvent


@dataclass(frozen=True, slots=True)
class Kept:
    """How far back events are kept: both limits hold."""

    days: int = 30
    count: int = 100_000


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are meant; empty means all."""

    project: str
    kinds: tuple[EventKind, ...] = ()
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of their numbers.

    Attributes:
        through: Everything up to this number was looked through.
        newest: Number of the newest event of all.
    """

    events: Sequence[EventRow]
    through: int
    newest: int


class History:
    """The events of all projects. Methods block: call them from a thread.

    Args:
        database: Where they are.
        kept: How far back.
        now: The clock.
    """

    def __init__(self, database: Database, kept: Kept, now: Callable[[], datetime]) -> None:
        self.database = database
        self._kept = kept
        self._now = now

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """Returns up to `limit` events with numbers above `after`; None means from the oldest that is kept.

        Raises:
            CursorExpired: some of them were forgotten.
            InvalidField: `after` is negative or above the number of the newest event.
        """
        with self.database.read_session() as session:
            newest = newest_sequence(session)
            begin = checked_cursor(session, after, newest)
            events = next_events(session, query, begin, limit)
        through = events[-1].sequence if len(events) == limit else max([newest, *(one.sequence for one in events)])
        return EventPage(events, through, newest)

    def newest(self) -> int:
        """Number of the newest event; 0 when nothing happened yet."""
        with self.database.read_session() as session:
            return newest_sequence(session)

    def forget_old(self) -> None:
        """Forgets what is older, or more, than is kept."""
        with self.database.session() as session:
            old = col(EventRow.event_time) < self._now() - timedelta(days=self._kept.days)
            last_old = session.scalar(select(func.max(col(EventRow.sequence))).where(old)) or 0
            last_forgotten = max(last_old, newest_sequence(session) - self._kept.count)
            session.execute(delete(EventRow).where(col(EventRow.sequence) <= last_forgotten))


def newest_sequence(session: Session) -> int:
    """Number of the newest event; 0 when nothing happened yet."""
    newest: int = session.execute(select(col(EventCounterRow.last_sequence))).scalar_one()
    return newest


def last_forgotten(session: Session, newest: int) -> int:
    """Number of the newest event that is not kept any more; 0 when all are kept."""
    oldest = session.scalar(select(func.min(col(EventRow.sequence))))
    return newest if oldest is None else oldest - 1


def checked_cursor(session: Session, after: int | None, newest: int) -> int:
    """The number behind which to go on.

    Raises:
        CursorExpired: events after it were forgotten.
        InvalidField: it is negative or above the number of the newest event.
    """
    forgotten = last_forgotten(session, newest)
    if after is None:
        return forgotten
    if not 0 <= after <= newest:
        raise InvalidField(
            f"after_sequence: there is no event {after}, the newest is {newest}",
            field="after_sequence",
            hint="pass the number of the last event that you saw, or 0",
        )
    if after < forgotten:
        raise CursorExpired(
            f"after_sequence: events up to {forgotten} are not kept any more, {after} is further back",
            field="after_sequence",
            hint=f"list what is there, then go on after {forgotten}",
            metadata={"oldest": str(forgotten + 1)},
        )
    return after


def next_events(session: Session, query: EventQuery, after: int, limit: int) -> Sequence[EventRow]:
    """The next events that are meant."""
    statement = select(EventRow).where(col(EventRow.project) == query.project, col(EventRow.sequence) > after)
    if query.kinds:
        statement = statement.where(col(EventRow.kind).in_(query.kinds))
    if query.collections:
        statement = statement.where(col(EventRow.collection).in_(query.collections))
    return session.scalars(statement.order_by(col(EventRow.sequence)).limit(limit)).all()


def event_of(row: EventRow) -> RegistryEvent:
    """A stored event."""
    return RegistryEvent(
        sequence=row.sequence,
        kind=row.kind,
        resource=row.resource,
        digest=row.digest,
        etag=row.etag,
        evaluation=row.evaluation,
        alias=row.alias,
        time=row.event_time,
    )
