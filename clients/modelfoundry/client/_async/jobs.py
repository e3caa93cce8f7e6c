"""Jobs: long work that goes on without the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from modelfoundry.client.results import JobEvent, JobResult, JobStatus, Progress
from modelfoundry.client.transport import AsyncTransport

Result = TypeVar("Result", covariant=True)


class AsyncJob(Generic[Result]):
    """A job and how to follow it.

    Attributes:
        status: The job as it was last seen; `refresh` renews it.
    """

    status: JobStatus

    @property
    def name(self) -> str:
        """`projects/{project}/operations/{operation}`."""
        return self.status.name

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.status.id

    async def refresh(self) -> JobStatus:
        """Asks where the job stands."""
        raise NotImplementedError

    async def events(self, after: int = 0) -> AsyncIterator[JobEvent]:
        """Events of the job, past ones first, until it is done. A broken stream is opened again; nothing is missed.

        Args:
            after: Only events with a larger sequence number. 0: from the beginning.

        Raises:
            Unavailable: the registry cannot be reached, after several attempts that brought nothing.
        """
        raise NotImplementedError
        yield

    async def wait(
        self, on_progress: Callable[[Progress], None] | None = None, timeout: float | None = None
    ) -> Result:
        """Waits until the job is done and returns its result.

        Args:
            on_progress: Called whenever the job tells how far it is.
            timeout: Seconds to wait at most. The job goes on when they are over.

        Raises:
            DeadlineExceeded: `timeout` is over.
            Cancelled: the job was cancelled.
            ModelFoundryError: the job failed, with the class and hint that the worker gave.
        """
        raise NotImplementedError

    async def cancel(self) -> None:
        """Asks the job to stop, which takes a few seconds. A job that is done stays as it is."""
        raise NotImplementedError


class AsyncJobs:
    """Jobs of the project. Reached as `client.jobs`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._parent = parent

    async def get(self, job: str) -> AsyncJob[JobResult]:
        """Returns a job by id or name.

        Raises:
            NotFound: there is none.
        """
        raise NotImplementedError

    async def list(self, filter: str = "") -> AsyncIterator[AsyncJob[JobResult]]:
        """Jobs that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `state = "RUNNING"`.
        """
        raise NotImplementedError
        yield

    async def cancel(self, job: str) -> None:
        """Asks a job to stop, which takes a few seconds. A job that is done stays as it is."""
        raise NotImplementedError

    async def watch(self, job: str, after: int = 0) -> AsyncIterator[JobEvent]:
        """Events of a job, past ones first, until it is done; the same as `(await get(job)).events(after)`."""
        raise NotImplementedError
        yield
