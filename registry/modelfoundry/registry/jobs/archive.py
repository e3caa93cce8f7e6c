"""The people's side of the queue: jobs and their events to look at, to cancel, to forget."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy
from sqlmodel import SQLModel, col, select

from modelfoundry.errors import InUse, InvalidField
from modelfoundry.names import ResourceName
from modelfoundry.registry.jobs.ledger import Ledger, find, to_operation
from modelfoundry.registry.jobs.operation import DONE, EventType, Operation, StoredEvent
from modelfoundry.registry.jobs.tables import OperationEventRow, OperationRow
from modelfoundry.registry.listing.fields import ChoiceField, MomentField, TextField
from modelfoundry.registry.listing.pages import Listing, ListRequest, fetch_page
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.values.kinds import Kind
from modelfoundry.values.results import JobState

EVENTS_KEPT: Final = 10_000
KEPT_FOR: Final = timedelta(days=30)
# Half of what a gRPC message may have: names, times and framing want room too.
PAGE_BYTES: Final = 2 * 1024 * 1024


_COLUMNS: Final = SQLModel.metadata.tables[Kind.OPERATION].columns
OPERATIONS: Final = Listing(
    row=OperationRow,
    filterable={
        "kind": TextField(_COLUMNS.kind),
        "target": TextField(_COLUMNS.target),
        "state": ChoiceField(_COLUMNS.state, {state.name: state for state in JobState}),
        "create_time": MomentField(_COLUMNS.create_time),
        "update_time": MomentField(_COLUMNS.update_time),
        "end_time": MomentField(_COLUMNS.end_time),
    },
    sortable={"key": _COLUMNS.key},
    default_order="key desc",
    last="key",
)


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Jobs, newest first; fewer than asked for when they are large."""

    operations: tuple[Operation, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """Events in the order of their numbers.

    Attributes:
        more: Whether there are more after the last one.
        done: Whether the job is done and these are all that were left.
    """

    events: tuple[StoredEvent, ...]
    more: bool
    done: bool


class Archive:
    """Jobs that were ever queued and not forgotten yet.

    Args:
        ledger: The rows of jobs.
        signer: Signs page tokens.
    """

    def __init__(self, ledger: Ledger, signer: TokenSigner) -> None:
        self._ledger = ledger
        self._signer = signer

    def get(self, name: ResourceName) -> Operation:
        """Returns a job.

        Raises:
            NotFound: there is none of that name.
        """
        return self._ledger.read(name)

    def list(self, project: str, page_size: int, page_token: str, filter_text: str) -> OperationPage:
        """Returns a page of the jobs of a project, newest first.

        Raises:
            InvalidField: size, token or filter are not as the contract says.
        """
        request = ListRequest(f"projects/{project}", page_size, page_token, filter_text)
        with self._ledger.database.read_session() as session:
            page = fetch_page(session, OPERATIONS, col(OperationRow.project) == project, request, self._signer)
        fitting = _fitting([len(row.response or b"") + len(row.error or b"") for row in page.rows])
        operations = tuple(to_operation(row) for row in page.rows[:fitting])
        return OperationPage(operations, page.tokens[fitting - 1] if fitting else "")

    def cancel(self, name: ResourceName) -> Operation:
        """Asks for a job to be cancelled. A queued one ends at once; one that is done stays what it is.

        Raises:
            NotFound: there is none of that name.
        """
        with self._ledger.changing(name) as job:
            job.cancel()
        return to_operation(job.row)

    def delete(self, name: ResourceName) -> None:
        """Forgets a job that is done, and its events.

        Raises:
            NotFound: there is none of that name.
            InUse: it is not done.
        """
        with self._ledger.database.session() as session:
            row = find(session, name, lock=True)
            if row.state not in DONE:
                raise InUse(
                    f"{name} is {row.state.name} and cannot be deleted",
                    field="name",
                    hint="cancel it and wait for its end",
                    metadata={"resource": str(name)},
                )
            session.execute(sqlalchemy.delete(OperationRow).where(col(OperationRow.key) == row.key))

    def events(self, name: ResourceName, after: int, limit: int) -> StoredEvents:
        """Returns up to `limit` events with numbers above `after`, fewer when they are large.

        Raises:
            NotFound: there is no such job.
            InvalidField: `after` is negative or above the number of the newest event.
        """
        with self._ledger.database.read_session() as session:
            operation = find(session, name)
            if not 0 <= after <= operation.last_sequence:
                raise InvalidField(
                    f"after_sequence: {name} has no event {after}, the newest is {operation.last_sequence}",
                    field="after_sequence",
                    hint="pass the number of the last event that you saw, or 0",
                )
            query = (
                select(OperationEventRow)
                .where(OperationEventRow.operation_key == operation.key, col(OperationEventRow.sequence) > after)
                .order_by(col(OperationEventRow.sequence))
                .limit(limit)
            )
            rows = session.exec(query).all()
        events = [_event(row) for row in rows[: _fitting([len(row.payload) for row in rows])]]
        newest = events[-1].sequence if events else after
        more = newest < operation.last_sequence
        return StoredEvents(tuple(events), more=more, done=not more and operation.state in DONE)

    def last_sequences(self, names: Collection[ResourceName]) -> dict[ResourceName, int]:
        """Numbers of the newest events of jobs; names of no job are left out."""
        keys = [(name.project, name.id) for name in names]
        query = select(OperationRow.project, OperationRow.id, OperationRow.last_sequence).where(
            sqlalchemy.tuple_(col(OperationRow.project), col(OperationRow.id)).in_(keys)
        )
        with self._ledger.database.read_session() as session:
            return {ResourceName(row[0], Kind.OPERATION, row[1]): row[2] for row in session.exec(query)}

    def forget_old(self) -> None:
        """Forgets jobs that were done long ago, and the oldest events of talkative ones."""
        before = self._ledger.now() - KEPT_FOR
        with self._ledger.database.session() as session:
            session.execute(sqlalchemy.delete(OperationRow).where(col(OperationRow.end_time) < before))
        talkative = select(OperationRow.key, OperationRow.last_sequence).where(
            col(OperationRow.last_sequence) > EVENTS_KEPT
        )
        with self._ledger.database.read_session() as session:
            cuts = [(key, newest - EVENTS_KEPT) for key, newest in session.exec(talkative)]
        for key, last_dropped in cuts:
            with self._ledger.database.session() as session:
                session.execute(
                    sqlalchemy.delete(OperationEventRow).where(
                        col(OperationEventRow.operation_key) == key, col(OperationEventRow.sequence) <= last_dropped
                    )
                )


def _fitting(sizes: Sequence[int]) -> int:
    """How many of the first ones fit into a page: at least one, if there is one."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > PAGE_BYTES:
            return count
    return len(sizes)


def _event(row: OperationEventRow) -> StoredEvent:
    return StoredEvent(
        sequence=row.sequence,
        time=row.event_time,
        type=EventType(row.type),
        state=row.state,
        payload=row.payload,
    )
