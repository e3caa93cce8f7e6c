from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, wrappers_pb2

from modelfoundry.api.operations.v1 import (
    job_queue_service_pb2,
    job_queue_service_pb2_grpc,
    operation_events_service_pb2,
    operation_events_service_pb2_grpc,
    operation_pb2,
)
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.service import JobService
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import RunningServer, running
from modelfoundry.runtime.shutdown import ShutdownSignal


class RunningClock:
    """The time, which can be moved forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Registry:
    """A registry that serves only jobs, and stubs for it."""

    server: RunningServer
    jobs: JobService
    channel: grpc.aio.Channel
    clock: RunningClock

    def __post_init__(self) -> None:
        self.queue = job_queue_service_pb2_grpc.JobQueueServiceStub(self.channel)
        self.operations = operations_pb2_grpc.OperationsStub(self.channel)
        self.events = operation_events_service_pb2_grpc.OperationEventsServiceStub(self.channel)

    async def enqueue(self, **changes: Any) -> operations_pb2.Operation:
        fields = {"parent": "projects/default", "kind": "decompose", "request": packed("the request"), **changes}
        return await self.queue.EnqueueOperation(job_queue_service_pb2.EnqueueOperationRequest(**fields))

    async def lease(self, wait: float = 0, kinds: tuple[str, ...] = ("decompose",)) -> Any:
        request = job_queue_service_pb2.LeaseOperationRequest(kinds=kinds, owner="worker@host:1")
        request.wait.FromMicroseconds(round(wait * 1e6))
        response = await self.queue.LeaseOperation(request)
        return response.leased if response.HasField("leased") else None

    async def log(self, leased: Any, *texts: str) -> bool:
        response = await self.queue.ReportProgress(
            job_queue_service_pb2.ReportProgressRequest(
                name=leased.name,
                lease_token=leased.lease_token,
                log=[operation_pb2.LogLine(text=text) for text in texts],
            )
        )
        return response.cancel_requested

    async def complete(self, leased: Any) -> operations_pb2.Operation:
        return await self.queue.CompleteOperation(
            job_queue_service_pb2.CompleteOperationRequest(
                name=leased.name, lease_token=leased.lease_token, response=packed("the module")
            )
        )

    def watch(self, name: str, after: int = 0) -> Any:
        return self.events.WatchOperation(
            operation_events_service_pb2.WatchOperationRequest(name=name, after_sequence=after)
        )

    @staticmethod
    def metadata(operation: operations_pb2.Operation) -> operation_pb2.OperationMetadata:
        metadata = operation_pb2.OperationMetadata()
        assert operation.metadata.Unpack(metadata)
        return metadata


def packed(text: str) -> any_pb2.Any:
    message = any_pb2.Any()
    message.Pack(wrappers_pb2.StringValue(value=text))
    return message


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def start_registry(database: Database) -> Any:
    """Starts a registry on the test's database; several may run at once."""

    @asynccontextmanager
    async def start(keep_alive_seconds: float = 15.0, *, background: bool = True) -> AsyncIterator[Registry]:
        shutdown, clock = ShutdownSignal(), RunningClock()
        jobs = JobService(
            database,
            signer=TokenSigner(b"key"),
            shutdown=shutdown,
            blob_exists=lambda _: True,
            release_blob=lambda _: None,
            still_valid=lambda _: True,
            clock=clock,
            keep_alive_seconds=keep_alive_seconds,
        )
        async with (
            running(
                jobs.services(),
                background=[jobs.run] if background else [],
                options=ServerOptions(grace_seconds=2, lame_duck_seconds=0),
                shutdown=shutdown,
            ) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            yield Registry(server, jobs, channel, clock)

    return start


@pytest.fixture
async def registry(start_registry: Any) -> AsyncIterator[Registry]:
    async with start_registry() as registry:
        yield registry
