"""Reads and changes the rows of jobs, one transaction at a time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session, col, select

from modelfoundry.errors import LeaseLost, NotFound
from modelfoundry.names import ResourceName, near
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.lifecycle import Lifecycle
from modelfoundry.registry.jobs.operation import Clock, Operation
from modelfoundry.registry.jobs.tables import OperationRow
from modelfoundry.values.kinds import Kind

_DIGEST_BYTES: Final = re.compile(rb"sha256:[0-9a-f]{64}")

_log = structlog.get_logger(__name__)


class Ledger:
    """The rows of jobs.

    Args:
        database: Where they are.
        clock: Tells the time, aware.
        release_blob: Called with the digest of a checkpoint that no job needs any more.
    """

    def __init__(self, database: Database, clock: Clock, release_blob: Callable[[str], object]) -> None:
        self.database = database
        self._clock = clock
        self._release_blob = release_blob

    def now(self) -> datetime:
        """The time."""
        return self._clock()

    def read(self, name: ResourceName) -> Operation:
        """Returns a job.

        Raises:
            NotFound: there is none of that name.
        """
        with self.database.read_session() as session:
            return to_operation(find(session, name))

    @contextlib.contextmanager
    def changing(self, name: ResourceName) -> Iterator[Lifecycle]:
        """Locks a job, lets the block change it, and commits. A checkpoint that fell away is released after that.

        Raises:
            NotFound: there is none of that name.
        """
        released = None
        with self.database.session() as session:
            row = find(session, name, lock=True)
            before = row.checkpoint_digest
            yield Lifecycle(session, row, self.now())
            if before is not None and row.checkpoint_digest != before:
                released = None if is_checkpoint(session, before) else before
        if released is not None:
            self._release(released)

    @contextlib.contextmanager
    def changing_under(self, name: ResourceName, lease_token: str) -> Iterator[Lifecycle]:
        """Like `changing`, for the worker that holds the job, or held it when it ended.

        The token alone decides. A lease whose time is over is lost when the job is given back, not before: until then
        nobody else has the job, and what its worker brings is welcome.

        Raises:
            NotFound: there is no job of that name.
            LeaseLost: the job was taken from this worker.
        """
        with self.changing(name) as job:
            if not lease_token or job.row.lease_token != lease_token:
                raise lease_lost(name)
            yield job

    def _release(self, digest: str) -> None:
        # The job's own change is committed; a blob that stays behind is for the garbage collector.
        try:
            self._release_blob(digest)
        except Exception as error:  # noqa: BLE001
            _log.warning("checkpoint not released", digest=digest, error=str(error))


def lease_lost(name: ResourceName) -> LeaseLost:
    """The error of a worker that no longer holds the job."""
    return LeaseLost(
        f"the lease on {name} is no longer held: the job was given to another worker or ended",
        field="lease_token",
        hint="stop working on it",
    )


def find(session: Session, name: ResourceName, *, lock: bool = False) -> OperationRow:
    """The row of a job, locked until the transaction ends when `lock` is set.

    Raises:
        NotFound: there is none of that name; jobs with similar names are told.
    """
    query = select(OperationRow).where(OperationRow.project == name.project, OperationRow.id == name.id)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    if row is not None:
        return row
    newest = select(OperationRow.id).where(OperationRow.project == name.project)
    similar = near(name.id, session.exec(newest.order_by(col(OperationRow.key).desc()).limit(200)))
    metadata = {"resource": str(name)}
    if similar:
        metadata["near"] = ", ".join(f"{name.parent}/operations/{match}" for match in similar)
    raise NotFound(
        f"there is no job {name}",
        field="name",
        hint=f"did you mean {metadata['near']}?" if similar else "list the jobs to see which there are",
        metadata=metadata,
    )


def to_operation(row: OperationRow, *, cache_hit: bool = False) -> Operation:
    """The job as it is in this transaction."""
    return Operation(
        name=ResourceName(row.project, Kind.OPERATION, row.id),
        kind=row.kind,
        target=row.target,
        state=row.state,
        attempt=row.attempt,
        request_id=row.request_id,
        response=row.response,
        error=row.error,
        progress=row.progress,
        last_sequence=row.last_sequence,
        create_time=row.create_time,
        start_time=row.start_time,
        end_time=row.end_time,
        update_time=row.update_time,
        cache_hit=cache_hit,
    )


def is_checkpoint(session: Session, digest: str) -> bool:
    """Whether some job could be taken up again from the blob: what has to be kept (a `blobs.ReferenceCheck`)."""
    query = select(OperationRow.key).where(OperationRow.checkpoint_digest == digest).limit(1)
    return session.exec(query).first() is not None


def digests_in_responses(session: Session) -> set[str]:
    """Digests of the blobs that responses of finished jobs name: a string is in a message byte by byte."""
    responses = session.exec(select(OperationRow.response).where(col(OperationRow.response).is_not(None)))
    return {digest.decode() for response in responses for digest in _DIGEST_BYTES.findall(response or b"")}
