"""Waits for jobs on behalf of another job: tells their progress as its own, and passes cancelling on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from modelfoundry.client import AsyncClient, JobResult, JobStatus, Progress
from modelfoundry.errors import Cancelled, ModelFoundryError, Unavailable
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.workbench.jobs import derived_request_id

GLANCE_SECONDS: Final = 0.3
"""Time between two looks at whether the job is still wanted."""
PATIENCE_SECONDS: Final = 120.0
"""How long a service may be away before the job is given back to the queue."""
PAUSE_SECONDS: Final = 1.0
MOST_ROUNDS: Final = 5
"""Times that a job is started that others cancel."""


@dataclass(frozen=True, slots=True)
class SubJob:
    """A job to be waited for."""

    title: str
    """For people, for example `making a module of horse`."""
    what: str
    """Names it among the jobs that the same job waits for."""
    start: Callable[[str], Awaitable[JobStatus]]
    """Starts it under a request id, or finds the job for equal work; called with another id when that was cancelled."""


@dataclass(slots=True)
class _Running:
    title: str
    own: bool
    """Whether this job started it, so that it ends with it."""
    progress: Progress


class SubJobs:
    """Jobs that one job waits for.

    Args:
        client: Access to the registry.
        context: The job that waits.
    """

    def __init__(self, client: AsyncClient, context: JobContext) -> None:
        self._client = client
        self._context = context
        self._running: dict[str, _Running] = {}

    async def results(self, jobs: Sequence[SubJob]) -> list[JobResult]:
        """Starts jobs, all at a time, and waits for all of them.

        Raises:
            Cancelled: the waiting job was cancelled; jobs that it started itself were cancelled too.
            LeaseLost: the waiting job is another worker's.
            ModelFoundryError: one of them failed; the others go on.
        """
        return await self._watched(asyncio.gather(*(self._result(job) for job in jobs)))

    async def result(self, job: SubJob) -> JobResult:
        """The same for one job."""
        (result,) = await self.results([job])
        return result

    async def _watched(self, work: asyncio.Future[list[JobResult]]) -> list[JobResult]:
        try:
            while True:
                await asyncio.wait({work}, timeout=GLANCE_SECONDS)
                if work.done():
                    return work.result()
                self._context.check_cancelled()
                self._tell()
        except Cancelled:
            # What it found, another request waits for too: only its own jobs end with it.
            own = [name for name, running in self._running.items() if running.own]
            work.cancel()  # first, so that nothing is started again
            await asyncio.gather(work, return_exceptions=True)
            await self._cancel(own)
            raise
        finally:
            work.cancel()

    async def _result(self, job: SubJob) -> JobResult:
        for attempt in range(MOST_ROUNDS):
            # It follows from the waiting job: who takes that up again finds what it started, and knows it for its own.
            request_id = derived_request_id(self._context.name, f"{job.what} {attempt}")
            status = await self._patiently(job, request_id)
            own = status.request_id == request_id
            self._context.log(f"{job.title}: {'started' if own else 'found'} {status.name}")
            running = self._running[status.name] = _Running(job.title, own, status.progress)
            try:
                return await self._followed(status.name, running)
            except Cancelled:
                self._context.log(f"{job.title}: {status.name} was cancelled; it is started again", "warning")
            finally:
                self._running.pop(status.name, None)
        raise Unavailable(
            f"{job.title}: the job was cancelled {MOST_ROUNDS} times", hint="ask again when nobody cancels it"
        )

    async def _followed(self, name: str, running: _Running) -> JobResult:
        def note(progress: Progress) -> None:
            running.progress = progress

        followed = await self._client.jobs.get(name)
        return await followed.wait(on_progress=note)

    async def _patiently(self, job: SubJob, request_id: str) -> JobStatus:
        """Starts a job, however often its service is away for a while."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        told = False
        while True:
            try:
                return await job.start(request_id)
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                if not told:
                    self._context.log(f"{job.title}: {error.message}; trying again", "warning")
                    told = True
            await asyncio.sleep(PAUSE_SECONDS)

    def _tell(self) -> None:
        """Tells of the job that is the least far."""
        if self._running:
            last = min(self._running.values(), key=lambda running: running.progress.fraction)
            progress = last.progress
            phase = f"{last.title}: {progress.phase or 'waiting for a worker'}"
            metrics = dict(progress.metrics)
            self._context.progress(phase, progress.done_units, progress.total_units, progress.unit, metrics)

    async def _cancel(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                await self._client.jobs.cancel(name)
            except ModelFoundryError as error:
                self._context.log(f"{name} could not be cancelled: {error.message}", "warning")
