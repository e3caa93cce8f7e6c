"""What can become of a job. Every change and the event that tells of it are made together, on a row that is locked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from modelfoundry.registry.jobs import failures
from modelfoundry.registry.jobs.operation import DONE, HELD, EventType, ProgressReport
from modelfoundry.registry.jobs.tables import OperationEventRow, OperationRow, stored_key
from modelfoundry.values.resources import BlobRef
from modelfoundry.values.results import JobState

PROGRESS_EVENTS_APART: Final = timedelta(seconds=1)


class Lifecycle:
    """One job in one transaction.

    Args:
        session: The transaction; it holds the row's lock.
        row: The job.
        now: The time of all that happens in the transaction.
    """

    def __init__(self, session: Session, row: OperationRow, now: datetime) -> None:
        self._session = session
        self._now = now
        self.row = row

    @property
    def done(self) -> bool:
        """Whether the job ended."""
        return self.row.state in DONE

    @property
    def held(self) -> bool:
        """Whether a worker has the job."""
        return self.row.state in HELD

    def enter(self, state: JobState, reason: bytes = b"") -> None:
        """Changes the state."""
        self.row.state = state
        self._record(EventType.STATE_CHANGE, reason, state)

    def report(self, progress: ProgressReport | None, log: Sequence[bytes]) -> None:
        """Prolongs the lease and takes in what the worker tells: not all progress becomes an event."""
        row = self.row
        row.lease_expires = self._now + timedelta(seconds=row.lease_seconds)
        new_phase = False
        if progress is not None:
            new_phase = progress.phase != row.reported_phase or row.event_progress_time is None
            if new_phase:
                self._record_waiting_progress()
            row.progress = progress.payload
            row.reported_phase = progress.phase
            row.progress_waits = True
            row.update_time = self._now
        for line in log:
            self._record(EventType.LOG, line)
        if new_phase or self._progress_is_due():
            self._record_waiting_progress()

    def keep_checkpoint(self, checkpoint: BlobRef) -> None:
        """Notes where the job can be taken up again."""
        self.row.checkpoint_digest = checkpoint.digest
        self.row.checkpoint_bytes = checkpoint.size_bytes
        self.row.checkpoint_media_type = checkpoint.media_type
        self.row.update_time = self._now

    def succeed(self, response: bytes) -> None:
        """Ends the job with its result, also when cancelling was asked for: it was done first."""
        self.row.response = response
        self._end(JobState.SUCCEEDED)

    def fail(self, error: bytes) -> None:
        """Ends the job with an error."""
        self.row.error = error
        self._end(JobState.FAILED, error)

    def end_as_cancelled(self, error: bytes) -> None:
        """Ends the job as cancelled."""
        self.row.error = error
        self._end(JobState.CANCELLED, error)

    def cancel(self) -> None:
        """Ends a queued job, asks the worker of a running one to stop, and does nothing to others."""
        if self.row.state == JobState.QUEUED:
            self.end_as_cancelled(failures.cancelled())
        elif self.row.state == JobState.RUNNING:
            # Who asks for the same work from now on wants it done, not cancelled.
            self.row.cache_slot = None
            self.enter(JobState.CANCELLING)

    def give_back(self, cause: str) -> None:
        """Takes the job from a lost worker: it is queued again, or ended."""
        row = self.row
        # From here on whatever the lost worker still sends is refused; after an end that it made itself, it is not.
        row.lease_token = None
        lost = failures.worker_lost(cause, row.attempt, row.max_attempts)
        if row.state == JobState.CANCELLING:
            self.end_as_cancelled(failures.cancelled())
        elif row.attempt >= row.max_attempts:
            self.fail(lost)
        else:
            self._record_waiting_progress()
            row.lease_expires = None
            self.enter(JobState.QUEUED, lost)

    def _end(self, state: JobState, reason: bytes = b"") -> None:
        self._record_waiting_progress()
        row = self.row
        if state != JobState.SUCCEEDED:
            row.cache_slot = None
        row.lease_expires = None
        row.checkpoint_digest = None
        row.end_time = self._now
        self.enter(state, reason)

    def _progress_is_due(self) -> bool:
        last = self.row.event_progress_time
        # A clock that was set back must not silence the job.
        return last is None or not timedelta(0) <= self._now - last < PROGRESS_EVENTS_APART

    def _record_waiting_progress(self) -> None:
        row = self.row
        if row.progress_waits and row.progress is not None:
            row.progress_waits = False
            row.event_progress_time = self._now
            self._record(EventType.PROGRESS, row.progress)

    def _record(self, event_type: EventType, payload: bytes, state: JobState | None = None) -> None:
        row = self.row
        row.last_sequence += 1
        row.update_time = self._now
        self._session.add(
            OperationEventRow(
                operation_key=stored_key(row),
                sequence=row.last_sequence,
                event_time=self._now,
                type=event_type,
                state=state,
                payload=payload,
            )
        )
