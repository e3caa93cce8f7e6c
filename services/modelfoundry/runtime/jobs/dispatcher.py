"""Leases jobs from the registry, hands them to an executor, and sees to it that each comes to an end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

import structlog

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.runtime.channels import open_channel
from modelfoundry.runtime.jobs.executor import Executor, Exit, Handle
from modelfoundry.runtime.jobs.registry import JobRegistry, Wish
from modelfoundry.runtime.jobs.ticket import Ticket

WISH_SECONDS: Final = 0.7
"""Time between two looks at whether a job is still wanted."""
COOPERATION_SECONDS: Final = 2.5
"""Time that a worker has to come to an end itself after cancelling was seen."""
TERMINATION_SECONDS: Final = 0.4
"""Time between SIGTERM and SIGKILL. All three together are less than the 5 seconds that cancelling may take."""
PARTING_SECONDS: Final = 2.0
"""Time for giving a job back when the service stops; the registry may be stopping too."""
RETRY_SECONDS: Final = 5.0
"""Time before an executor that could not be made ready is asked again."""

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Carries out jobs of some kinds, as many at a time as it has slots.

    A worker tells progress and result itself. The dispatcher only watches whether the job is still wanted, and gives
    the job back when its worker died without a word.

    Args:
        registry: Address of the registry.
        handlers: Import path (`package.module:function`) of the handler of each kind.
        executor: Where jobs run.
        slots: Jobs at a time.
        lease_seconds: Time without a report after which a job counts as lost.
        service: Who leases, for logs.
    """

    def __init__(
        self,
        registry: str,
        handlers: Mapping[str, str],
        executor: Executor,
        *,
        slots: int = 1,
        lease_seconds: float = 15.0,
        service: str = "worker",
    ) -> None:
        self._target = registry
        self._handlers = dict(handlers)
        self._executor = executor
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._owner = f"{service}@{socket.gethostname()}:{os.getpid()}"

    async def run(self) -> None:
        """Leases and carries out jobs until cancelled; then stops the running ones and gives them back."""
        async with open_channel(self._target) as channel:
            registry = JobRegistry(
                channel,
                kinds=sorted(self._handlers),
                owner=self._owner,
                lease_seconds=self._lease_seconds,
            )
            try:
                async with asyncio.TaskGroup() as slots:
                    for _ in range(self._slots):
                        slots.create_task(self._fill_slot(registry))
            finally:
                await self._executor.close()

    async def _fill_slot(self, registry: JobRegistry) -> None:
        while True:
            await self._executor_ready()
            leased = await registry.lease()
            try:
                await self._carry_out(leased, registry)
            except Exception:  # noqa: BLE001 - a slot must outlive every job
                _log.exception("a job could not be started", operation=leased.name)
                await registry.release(leased, "the worker could not be started", patience=self._lease_seconds)

    async def _executor_ready(self) -> None:
        while True:
            try:
                return await self._executor.ready()
            except OSError:
                _log.exception("no job can be started, trying again", seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    async def _carry_out(self, leased: queue_pb2.LeasedOperation, registry: JobRegistry) -> None:
        handle = await self._executor.submit(self._ticket(leased))
        ending = asyncio.create_task(handle.wait())
        try:
            end = await _supervised(leased, handle, ending, registry)
        except BaseException:  # above all: cancelled, because the service stops
            end = await _stopped(handle, ending, cooperation=0)
            if end.cause:
                await registry.release(leased, "its service was stopped", patience=PARTING_SECONDS)
            raise
        if end.cause:
            _log.warning("worker is gone", operation=leased.name, cause=end.cause)
            await registry.release(leased, end.cause, patience=self._lease_seconds)

    def _ticket(self, leased: queue_pb2.LeasedOperation) -> Ticket:
        return Ticket(
            name=leased.name,
            handler=self._handlers[leased.kind],
            request=leased.request.SerializeToString(),
            attempt=leased.attempt,
            checkpoint=leased.checkpoint.SerializeToString() if leased.HasField("checkpoint") else b"",
            lease_token=leased.lease_token,
            registry=self._target,
        )


async def _supervised(
    leased: queue_pb2.LeasedOperation, handle: Handle, ending: asyncio.Task[Exit], registry: JobRegistry
) -> Exit:
    """Waits for the worker's end, and brings it about when the job is not wanted any more."""
    while True:
        await asyncio.wait({ending}, timeout=WISH_SECONDS)
        if ending.done():
            return ending.result()
        match await registry.wish(leased):
            case Wish.END:
                return await _stopped(handle, ending, cooperation=COOPERATION_SECONDS)
            case Wish.DROP:
                _log.warning("the job is another worker's", operation=leased.name)
                return await _stopped(handle, ending, cooperation=0)
            case Wish.GO_ON:
                pass


async def _stopped(handle: Handle, ending: asyncio.Task[Exit], *, cooperation: float) -> Exit:
    """Waits for a worker to end itself, then makes it."""
    for patience, insist in ((cooperation, handle.terminate), (TERMINATION_SECONDS, handle.kill)):
        if not ending.done():
            await asyncio.wait({ending}, timeout=patience)
        if not ending.done():
            insist()
    return await ending
