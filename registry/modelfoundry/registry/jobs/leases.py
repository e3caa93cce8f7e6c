"""The workers' side of the queue: who has which job, and what becomes of the jobs of those who died."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final

import sqlalchemy
from sqlmodel import col, select

from modelfoundry.errors import BlobMissing
from modelfoundry.names import ResourceName
from modelfoundry.registry.jobs.ledger import Ledger, lease_lost, to_operation
from modelfoundry.registry.jobs.lifecycle import Lifecycle
from modelfoundry.registry.jobs.operation import HELD, Lease, Operation, ProgressReport
from modelfoundry.registry.jobs.tables import OperationRow
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import BlobRef
from modelfoundry.values.results import JobState

GRACE: Final = timedelta(seconds=15)


class Leases:
    """Hands jobs to workers and takes them back.

    Args:
        ledger: The rows of jobs.
        blob_exists: Whether a blob of a digest is stored.
    """

    def __init__(self, ledger: Ledger, blob_exists: Callable[[str], bool]) -> None:
        self._ledger = ledger
        self._blob_exists = blob_exists

    def take(self, kinds: Collection[str], owner: str, seconds: float) -> Lease | None:
        """Gives the oldest queued job of the kinds to a worker, or None when none waits.

        Args:
            kinds: Kinds of work that the worker can do.
            owner: Who asks, for logs.
            seconds: How long the lease lasts without a report.
        """
        # Most calls find nothing: idle workers ask again and again, and must not queue for SQLite's one writer.
        if not self._waits(kinds):
            return None
        now = self._ledger.now()
        oldest = (
            select(OperationRow.key)
            .where(OperationRow.state == JobState.QUEUED, col(OperationRow.kind).in_(kinds))
            .order_by(col(OperationRow.key))
            .limit(1)
            # PostgreSQL: of two who ask at once the second takes the next job, and does not wait for the first one's.
            # SQLite knows no such lock and needs none: its writers come one after the other.
            .with_for_update(skip_locked=True)
        )
        # One statement finds the job and takes it: what was read before decides nothing, so no two workers get one job.
        taking = (
            sqlalchemy.update(OperationRow)
            .where(col(OperationRow.key) == oldest.scalar_subquery(), col(OperationRow.state) == JobState.QUEUED)
            .values(
                state=JobState.RUNNING,
                attempt=OperationRow.attempt + 1,
                start_time=sqlalchemy.func.coalesce(col(OperationRow.start_time), now),
                lease_token=secrets.token_urlsafe(24),
                lease_owner=owner,
                lease_seconds=seconds,
                lease_expires=now + timedelta(seconds=seconds),
            )
            .returning(OperationRow)
        )
        with self._ledger.database.session() as session:
            row = session.scalars(taking).one_or_none()
            if row is None:
                return None
            Lifecycle(session, row, now).enter(JobState.RUNNING)
        return _lease(row)

    def report(
        self, name: ResourceName, lease_token: str, progress: ProgressReport | None, log: Sequence[bytes]
    ) -> Operation:
        """Prolongs a lease and takes in progress and log lines.

        Raises:
            NotFound: there is no such job.
            LeaseLost: the job is not this worker's any more.
        """
        with self._ledger.changing_under(name, lease_token) as job:
            _refuse_when_done(job, name)
            job.report(progress, log)
        return to_operation(job.row)

    def save_checkpoint(self, name: ResourceName, lease_token: str, checkpoint: BlobRef) -> None:
        """Notes the blob from which the job can be taken up again.

        Raises:
            NotFound: there is no such job.
            LeaseLost: the job is not this worker's any more.
            BlobMissing: the blob was not uploaded.
        """
        if not self._blob_exists(checkpoint.digest):
            raise BlobMissing(
                f"checkpoint.digest: there is no blob {checkpoint.digest}",
                field="checkpoint.digest",
                hint="upload it first",
                metadata={"digest": checkpoint.digest},
            )
        with self._ledger.changing_under(name, lease_token) as job:
            _refuse_when_done(job, name)
            job.keep_checkpoint(checkpoint)

    def complete(self, name: ResourceName, lease_token: str, response: bytes) -> Operation:
        """Ends a job with its result. Repeated by the same worker, it changes nothing.

        Raises:
            NotFound: there is no such job.
            LeaseLost: the job is not this worker's any more.
        """
        with self._ledger.changing_under(name, lease_token) as job:
            if not job.done:
                job.succeed(response)
        return to_operation(job.row)

    def fail(self, name: ResourceName, lease_token: str, error: bytes, *, cancelled: bool) -> Operation:
        """Ends a job with an error, or as cancelled. Repeated by the same worker, it changes nothing.

        Raises:
            NotFound: there is no such job.
            LeaseLost: the job is not this worker's any more.
        """
        with self._ledger.changing_under(name, lease_token) as job:
            if not job.done and cancelled:
                job.end_as_cancelled(error)
            elif not job.done:
                job.fail(error)
        return to_operation(job.row)

    def release(self, name: ResourceName, lease_token: str, cause: str) -> Operation:
        """Gives back a job whose worker was lost.

        Raises:
            NotFound: there is no such job.
            LeaseLost: the job is not this worker's any more.
        """
        with self._ledger.changing_under(name, lease_token) as job:
            if not job.done:
                job.give_back(cause or "no cause was told")
        return to_operation(job.row)

    def give_back_expired(self) -> list[Operation]:
        """Gives back the jobs whose workers did not report in time; returns what became of them."""
        now = self._ledger.now()
        query = select(OperationRow.project, OperationRow.id).where(
            col(OperationRow.state).in_(HELD), col(OperationRow.lease_expires) < now
        )
        with self._ledger.database.read_session() as session:
            expired = [ResourceName(row[0], Kind.OPERATION, row[1]) for row in session.exec(query)]
        given_back = []
        for name in expired:
            with self._ledger.changing(name) as job:
                # Asked again under the lock: the worker may have reported, or ended the job, since the list was read.
                row = job.row
                still_expired = job.held and row.lease_expires is not None and row.lease_expires < now
                if still_expired:
                    job.give_back(f"{row.lease_owner} did not report for {row.lease_seconds:g} seconds")
            if still_expired:
                given_back.append(to_operation(job.row))
        return given_back

    def prolong_all(self) -> None:
        """Gives every worker time to report again, after a time in which none could because no registry was there."""
        until = self._ledger.now() + GRACE
        prolonging = (
            sqlalchemy.update(OperationRow)
            .where(col(OperationRow.state).in_(HELD), col(OperationRow.lease_expires) < until)
            .values(lease_expires=until)
        )
        with self._ledger.database.session() as session:
            session.execute(prolonging)

    def waiting_kinds(self) -> set[str]:
        """Kinds of which jobs are queued."""
        query = select(OperationRow.kind).where(OperationRow.state == JobState.QUEUED).distinct()
        with self._ledger.database.read_session() as session:
            return set(session.exec(query))

    def _waits(self, kinds: Collection[str]) -> bool:
        query = select(OperationRow.key).where(OperationRow.state == JobState.QUEUED, col(OperationRow.kind).in_(kinds))
        with self._ledger.database.read_session() as session:
            return session.exec(query.limit(1)).first() is not None


def _refuse_when_done(job: Lifecycle, name: ResourceName) -> None:
    if job.done:
        raise lease_lost(name)


def _lease(row: OperationRow) -> Lease:
    checkpoint = None
    if row.checkpoint_digest is not None:
        checkpoint = BlobRef(row.checkpoint_digest, row.checkpoint_bytes, row.checkpoint_media_type)
    return Lease(
        name=ResourceName(row.project, Kind.OPERATION, row.id),
        kind=row.kind,
        request=row.request,
        attempt=row.attempt,
        checkpoint=checkpoint,
        token=row.lease_token or "",
        seconds=row.lease_seconds,
    )
