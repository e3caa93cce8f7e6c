from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, struct_pb2
from google.protobuf.message import Message
from served_calls import QUICK, Behaviour, Caller, calling, services_with
from sqlmodel import SQLModel

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import job_queue_service_pb2_grpc as queue_grpc
from modelfoundry.api.operations.v1 import operation_events_service_pb2 as events_pb2
from modelfoundry.api.operations.v1 import operation_events_service_pb2_grpc as events_grpc
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.service import JobService
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import RunningServer, Service, running
from modelfoundry.runtime.shutdown import ShutdownSignal

WORKLOAD = Path(__file__).parent / "workload"
SHORT_GRACE = ServerOptions(lame_duck_seconds=0, grace_seconds=2)
HANDLERS = (
    "answer",
    "refuse",
    "break_down",
    "talk_much",
    "cooperate",
    "be_stuck",
    "die_once",
    "leave",
    "wait_for_second_life",
    "be_slow_to_die",
)


class Registry:
    """The registry's real job queue on SQLite, served on a port that stays the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(f"sqlite:///{folder / 'registry.db'}")
        SQLModel.metadata.create_all(self._database.engine)
        self._exit = contextlib.AsyncExitStack()
        self.port = 0
        self.server: RunningServer

    async def start(self) -> None:
        shutdown = ShutdownSignal()
        jobs = JobService(
            self._database,
            signer=TokenSigner(b"key"),
            shutdown=shutdown,
            blob_exists=lambda _: True,
            release_blob=lambda _: None,
            still_valid=lambda _: True,
        )
        self.server = await self._exit.enter_async_context(
            running(
                jobs.services(),
                listen=f"127.0.0.1:{self.port}",
                background=[jobs.run],
                options=SHORT_GRACE,
                shutdown=shutdown,
            )
        )
        self.port = self.server.port

    async def stop(self) -> None:
        await self._exit.aclose()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._database.close()


class Jobs:
    """Queues and follows jobs as clients do."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._queue = queue_grpc.JobQueueServiceStub(channel)
        self._events = events_grpc.OperationEventsServiceStub(channel)
        self._operations = operations_pb2_grpc.OperationsStub(channel)

    async def start(self, kind: str, **request: Any) -> str:
        struct = struct_pb2.Struct()
        struct.update(request)
        packed = any_pb2.Any()
        packed.Pack(struct)
        operation = await self._queue.EnqueueOperation(
            queue_pb2.EnqueueOperationRequest(
                parent="projects/default",
                kind=kind.replace("_", "-"),
                target="projects/default/models/m",
                request=packed,
            ),
            timeout=10,
        )
        return str(operation.name)

    async def get(self, name: str) -> operations_pb2.Operation:
        return await self._operations.GetOperation(operations_pb2.GetOperationRequest(name=name), timeout=10)

    async def cancel(self, name: str) -> None:
        await self._operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name), timeout=10)

    async def events(
        self, name: str, until: Callable[[operation_pb2.OperationEvent], bool] = lambda _: False
    ) -> list[operation_pb2.OperationEvent]:
        """Events up to the first that `until` accepts, or to the job's end."""
        call = self._events.WatchOperation(events_pb2.WatchOperationRequest(name=name), timeout=60)
        seen = []
        try:
            async for event in call:
                seen.append(event)
                if until(event):
                    break
        finally:
            call.cancel()
        return seen

    async def works(self, name: str) -> None:
        """Returns when the job's handler told progress."""
        await self.events(name, until=lambda event: event.HasField("progress"))

    async def done(self, name: str) -> operations_pb2.Operation:
        await self.events(name)
        return await self.get(name)


def metadata_of(operation: operations_pb2.Operation) -> operation_pb2.OperationMetadata:
    metadata = operation_pb2.OperationMetadata()
    assert operation.metadata.Unpack(metadata)
    return metadata


def unpacked(packed: any_pb2.Any, kind: type[Message]) -> Any:
    message = kind()
    assert packed.Unpack(message)
    return message


@pytest.fixture
def metadata() -> Callable[[operations_pb2.Operation], operation_pb2.OperationMetadata]:
    return metadata_of


@pytest.fixture
def response() -> Callable[[operations_pb2.Operation], Mapping[str, Any]]:
    return lambda operation: dict(unpacked(operation.response, struct_pb2.Struct))


@pytest.fixture(autouse=True)
def workload(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Import paths of the tests' handlers, importable here and in worker processes."""
    monkeypatch.syspath_prepend(str(WORKLOAD))
    monkeypatch.setenv("PYTHONPATH", str(WORKLOAD), prepend=os.pathsep)
    return {name.replace("_", "-"): f"runtime_workload:{name}" for name in HANDLERS}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    registry = Registry(tmp_path)
    await registry.start()
    yield registry
    await registry.stop()
    registry.close()


@pytest.fixture
async def jobs(registry: Registry) -> AsyncIterator[Jobs]:
    options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200)]
    async with grpc.aio.insecure_channel(registry.target, options=options) as channel:
        yield Jobs(channel)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def services(behaviour: Behaviour) -> tuple[Service, ...]:
    return services_with(behaviour)


@pytest.fixture
async def server(services: tuple[Service, ...]) -> AsyncIterator[RunningServer]:
    async with running(services, options=QUICK) as server:
        yield server


@pytest.fixture
async def caller(server: RunningServer) -> AsyncIterator[Caller]:
    async with calling(server) as caller:
        yield caller
