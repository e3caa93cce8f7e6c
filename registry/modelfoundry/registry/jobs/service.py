"""Joins the parts of the queue: what the registry's composition root starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2

from modelfoundry.api.operations.v1 import (
    job_queue_service_pb2,
    job_queue_service_pb2_grpc,
    operation_events_service_pb2,
    operation_events_service_pb2_grpc,
)
from modelfoundry.names import parse_name
from modelfoundry.registry.bells import Bells
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.archive import Archive
from modelfoundry.registry.jobs.events_servicer import OperationEventsServicer
from modelfoundry.registry.jobs.intake import Intake
from modelfoundry.registry.jobs.leases import Leases
from modelfoundry.registry.jobs.ledger import Ledger
from modelfoundry.registry.jobs.operation import Clock, queue_topic
from modelfoundry.registry.jobs.operations_servicer import OperationsServicer
from modelfoundry.registry.jobs.queue_servicer import JobQueueServicer
from modelfoundry.registry.jobs.watch import OperationWatch
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.runtime.server import Background, Service
from modelfoundry.runtime.shutdown import ShutdownSignal
from modelfoundry.values.kinds import Kind
from modelfoundry.values.results import JobState

POLL_SECONDS: Final = 0.2
REAP_SECONDS: Final = 1.0
FORGET_SECONDS: Final = 3600.0
KEEP_ALIVE_SECONDS: Final = 15.0

_log = structlog.get_logger(__name__)


def system_clock() -> datetime:
    """The time."""
    return datetime.now(UTC)


class JobService(Part):
    """The queue, its three gRPC services and its work in the background.

    Args:
        database: Where jobs are.
        signer: Signs page tokens.
        shutdown: Given when the server stops: calls that wait then end.
        blob_exists: Whether a blob of a digest is stored. Called in a thread.
        release_blob: Called in a thread with the digest of a checkpoint that no job needs any more.
        still_valid: Whether everything that a job's response names still exists. Called in a thread.
        clock: Tells the time, aware.
        keep_alive_seconds: Longest silence of a watch stream.
    """

    def __init__(
        self,
        database: Database,
        *,
        signer: TokenSigner,
        shutdown: ShutdownSignal,
        blob_exists: Callable[[str], bool],
        release_blob: Callable[[str], object],
        still_valid: Callable[[any_pb2.Any], bool],
        clock: Clock = system_clock,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        super().__init__("jobs")
        ledger = Ledger(database, clock, release_blob)
        self._archive = Archive(ledger, signer)
        self._leases = Leases(ledger, blob_exists)
        self._bells = Bells()
        self._last_sequences: dict[str, int] = {}
        intake = Intake(ledger, lambda response: still_valid(any_pb2.Any.FromString(response)))
        watch = OperationWatch(self._archive, self._bells, self.threads, keep_alive_seconds)
        self._queue_servicer = JobQueueServicer(intake, self._leases, self._bells, self.threads, shutdown)
        self._operations_servicer = OperationsServicer(self._archive, self._bells, self.threads, shutdown)
        self._events_servicer = OperationEventsServicer(self._archive, watch, self.threads, clock)

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        add_queue = job_queue_service_pb2_grpc.add_JobQueueServiceServicer_to_server
        add_operations = operations_pb2_grpc.add_OperationsServicer_to_server
        add_events = operation_events_service_pb2_grpc.add_OperationEventsServiceServicer_to_server
        return [
            service_of(job_queue_service_pb2.DESCRIPTOR, add_queue, self._queue_servicer),
            service_of(operations_pb2.DESCRIPTOR, add_operations, self._operations_servicer),
            service_of(operation_events_service_pb2.DESCRIPTOR, add_events, self._events_servicer),
        ]

    def background(self) -> Sequence[Background]:
        """See `Part`."""
        return [self.run]

    async def run(self) -> None:
        """Takes back expired leases, notices what other registries did, forgets what is old; until cancelled."""
        # While no registry ran, no worker could report.
        await _tolerated(self._prolong_all)
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(REAP_SECONDS, self.reap))
            group.create_task(_every(POLL_SECONDS, self.poll))
            group.create_task(_every(FORGET_SECONDS, self._forget_old))

    async def reap(self) -> None:
        """Takes back the jobs whose leases ran out."""
        for operation in await self.threads.run(self._leases.give_back_expired):
            _log.warning("lease ran out", operation=str(operation.name), state=operation.state)
            self._bells.ring(str(operation.name))
            if operation.state == JobState.QUEUED:
                self._bells.ring(queue_topic(operation.kind))

    async def poll(self) -> None:
        """Wakes those who wait for what was done through another registry on the same database."""
        topics = self._bells.topics
        watched = [parse_name(topic, Kind.OPERATION, field="name") for topic in topics if topic.startswith("projects/")]
        if watched:
            newest = await self.threads.run(self._archive.last_sequences, watched)
            current = {str(name): newest.get(name, 0) for name in watched}
            self._bells.ring(*(name for name, last in current.items() if self._last_sequences.get(name) != last))
            self._last_sequences = current
        if len(topics) > len(watched):
            kinds = await self.threads.run(self._leases.waiting_kinds)
            self._bells.ring(*(queue_topic(kind) for kind in kinds))

    async def _prolong_all(self) -> None:
        await self.threads.run(self._leases.prolong_all)

    async def _forget_old(self) -> None:
        await self.threads.run(self._archive.forget_old)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await _tolerated(work)
        await asyncio.sleep(seconds)


async def _tolerated(work: Callable[[], Awaitable[None]]) -> None:
    # The database may be away for a while; the queue must go on when it is back.
    try:
        await work()
    except Exception:  # noqa: BLE001
        _log.exception("background work of the job queue failed", work=work.__name__)
