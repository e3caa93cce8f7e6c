"""Takes jobs in: equal work is done once, and a repeated call gives the same job."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelfoundry.errors import RequestIdReused, Unavailable
from modelfoundry.registry.jobs.ledger import Ledger, to_operation
from modelfoundry.registry.jobs.lifecycle import Lifecycle
from modelfoundry.registry.jobs.operation import NewJob, Operation
from modelfoundry.registry.jobs.tables import OperationRequestRow, OperationRow, stored_key
from modelfoundry.values.results import JobState

TRIES: Final = 10
_SHARED: Final = (JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What there is already: a job to return, and jobs whose results are gone."""

    row: OperationRow | None = None
    answered: OperationRequestRow | None = None
    outdated: list[int] = field(default_factory=list)


class Intake:
    """Queues jobs.

    Args:
        ledger: The rows of jobs.
        still_valid: Whether what a serialised response names still exists.
    """

    def __init__(self, ledger: Ledger, still_valid: Callable[[bytes], bool]) -> None:
        self._ledger = ledger
        self._still_valid = still_valid

    def enqueue(self, job: NewJob) -> Operation:
        """Queues a job, or returns the one that the same call or a call for equal work made before.

        A job that is being cancelled is not shared: who asks for the work now wants it done.

        Raises:
            RequestIdReused: the request id was used for another request.
        """
        for _ in range(TRIES):
            earlier = self._earlier(job)
            if earlier.row is not None and earlier.answered is not None:
                return to_operation(earlier.row, cache_hit=earlier.answered.cache_hit)
            try:
                if earlier.row is not None:
                    return self._share(job, earlier.row)
                return self._add(job, earlier.outdated)
            except IntegrityError:
                # The unique constraints let one of several simultaneous calls through; the others find its job now.
                continue
        raise Unavailable("the job could not be queued: others for the same work come and go", hint="try again")

    def _earlier(self, job: NewJob) -> _Earlier:
        with self._ledger.database.read_session() as session:
            if answered := self._answered(session, job):
                return _Earlier(session.get_one(OperationRow, answered.operation_key), answered)
            equal = _equal_work(session, job)
        # Outside of the transaction: the check looks into other tables and the blob store, and may take seconds.
        outdated: list[int] = []
        for row in equal:
            if row.response is None or self._still_valid(row.response):
                return _Earlier(row, outdated=outdated)
            outdated.append(stored_key(row))
        return _Earlier(outdated=outdated)

    def _answered(self, session: Session, job: NewJob) -> OperationRequestRow | None:
        answered = session.get(OperationRequestRow, (job.project, job.request_id)) if job.request_id else None
        if answered is not None and answered.fingerprint != _fingerprint(job):
            raise RequestIdReused(
                f"request_id: {job.request_id} was used before for another request",
                field="request_id",
                hint="make a new UUID for every new request",
            )
        return answered

    def _share(self, job: NewJob, row: OperationRow) -> Operation:
        hit = row.state == JobState.SUCCEEDED
        if job.request_id:
            with self._ledger.database.session() as session:
                _remember(session, job, row, cache_hit=hit)
        return to_operation(row, cache_hit=hit)

    def _add(self, job: NewJob, outdated: list[int]) -> Operation:
        now = self._ledger.now()
        with self._ledger.database.session() as session:
            if outdated:
                forgetting = sqlalchemy.update(OperationRow).where(col(OperationRow.key).in_(outdated))
                session.execute(forgetting.values(cache_key="", cache_slot=None))
            row = OperationRow(
                project=job.project,
                id=f"{job.kind}-{secrets.token_hex(6)}",
                kind=job.kind,
                target=job.target,
                state=JobState.QUEUED,
                request=job.request,
                request_id=job.request_id,
                cache_key=job.cache_key,
                cache_slot=job.cache_key if job.cache_key and not job.force else None,
                max_attempts=job.max_attempts,
                create_time=now,
                update_time=now,
            )
            session.add(row)
            session.flush()
            Lifecycle(session, row, now).enter(JobState.QUEUED)
            if job.request_id:
                _remember(session, job, row, cache_hit=False)
        return to_operation(row)


def _equal_work(session: Session, job: NewJob) -> list[OperationRow]:
    """Jobs with the same cache key that a call may share, newest first."""
    if not job.cache_key or job.force:
        return []
    query = (
        select(OperationRow)
        .where(
            OperationRow.project == job.project,
            OperationRow.cache_key == job.cache_key,
            col(OperationRow.state).in_(_SHARED),
        )
        .order_by(col(OperationRow.key).desc())
    )
    return list(session.exec(query))


def _remember(session: Session, job: NewJob, row: OperationRow, *, cache_hit: bool) -> None:
    session.add(
        OperationRequestRow(
            project=job.project,
            request_id=job.request_id,
            fingerprint=_fingerprint(job),
            cache_hit=cache_hit,
            operation_key=stored_key(row),
        )
    )


def _fingerprint(job: NewJob) -> str:
    """Equal for two calls that ask for the same."""
    digest = hashlib.sha256()
    for part in (
        job.kind.encode(),
        job.target.encode(),
        job.request,
        job.cache_key.encode(),
        f"{job.force} {job.max_attempts}".encode(),
    ):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
