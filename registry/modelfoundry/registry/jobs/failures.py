"""The statuses that the queue itself gives to jobs, in the form in which they are stored."""

from __future__ import annotations

from modelfoundry.errors import Cancelled, WorkerLost
from modelfoundry.wire.statuses import status_for


def cancelled() -> bytes:
    """The `google.rpc.Status` of a job that ended because somebody asked for it."""
    return _stored(Cancelled("the job was cancelled", hint="start it again if that was not meant"))


def worker_lost(cause: str, attempt: int, max_attempts: int) -> bytes:
    """The `google.rpc.Status` of a job whose worker was lost."""
    return _stored(
        WorkerLost(
            f"the worker was lost at attempt {attempt} of {max_attempts}: {cause}",
            hint="look at the worker's log and at the memory of its machine, then start the job again",
            metadata={"attempt": str(attempt), "max_attempts": str(max_attempts)},
        )
    )


def _stored(error: Cancelled | WorkerLost) -> bytes:
    return bytes(status_for(error).SerializeToString())
