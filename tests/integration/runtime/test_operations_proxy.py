from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from modelfoundry.api.operations.v1 import operation_events_service_pb2 as events_pb2
from modelfoundry.api.operations.v1 import operation_events_service_pb2_grpc as events_grpc
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.runtime.channels import open_channel
from modelfoundry.runtime.jobs import Dispatcher, InlineExecutor
from modelfoundry.runtime.operations import operation_services
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import Service, running

QUICK = ServerOptions(lame_duck_seconds=0, grace_seconds=2)
NAME = "projects/default/operations/none"


class Upstream(events_grpc.OperationEventsServiceServicer, operations_pb2_grpc.OperationsServicer):
    """Stands for the registry where a test has to see what reaches it."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.seen: dict[str, Any] = {}

    async def WatchOperation(self, request, context):  # noqa: N802
        yield operation_pb2.OperationEvent(sequence=1)
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()

    async def GetOperation(self, request, context):  # noqa: N802
        self.seen["remaining"] = context.time_remaining()
        self.seen["request_id"] = dict(context.invocation_metadata()).get("x-request-id")
        if request.name == "slow":
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        return operations_pb2.Operation(name=request.name)


class Client:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.operations = operations_pb2_grpc.OperationsStub(channel)
        self.events = events_grpc.OperationEventsServiceStub(channel)

    def get(self, name: str, timeout: float = 10, **options: Any) -> Any:
        return self.operations.GetOperation(operations_pb2.GetOperationRequest(name=name), timeout=timeout, **options)

    def watch(self, name: str) -> Any:
        return self.events.WatchOperation(events_pb2.WatchOperationRequest(name=name), timeout=30)


async def _proxied(target: str) -> AsyncIterator[Client]:
    async with (
        open_channel(target) as registry_channel,
        running(operation_services(registry_channel), options=QUICK) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield Client(channel)


@pytest.fixture
async def client(registry) -> AsyncIterator[Client]:
    """A client of a service whose jobs the real registry keeps."""
    async for client in _proxied(registry.target):
        yield client


@pytest.fixture
async def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def observed(upstream) -> AsyncIterator[Client]:
    """A client of a service in front of `upstream`."""

    def register(server: grpc.aio.Server) -> None:
        operations_pb2_grpc.add_OperationsServicer_to_server(upstream, server)
        events_grpc.add_OperationEventsServiceServicer_to_server(upstream, server)

    async with running([Service("google.longrunning.Operations", register)], options=QUICK) as server:
        async for client in _proxied(f"127.0.0.1:{server.port}"):
            yield client


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


async def test_a_job_can_be_followed_and_cancelled_at_the_service(client, registry, jobs, workload, tmp_path) -> None:
    dispatcher = asyncio.create_task(Dispatcher(registry.target, workload, InlineExecutor()).run())
    name = await jobs.start("cooperate", folder=str(tmp_path))
    await jobs.works(name)
    assert (await client.get(name)).name == name
    watch = client.watch(name)
    await client.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name), timeout=5)
    seen = [event async for event in watch]
    last = seen[-1]
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    assert last.state_change.state == operation_pb2.OPERATION_STATE_CANCELLED
    events = await client.events.ListOperationEvents(events_pb2.ListOperationEventsRequest(name=name), timeout=5)
    assert events.events[-1].sequence == last.sequence
    listed = await client.operations.ListOperations(
        operations_pb2.ListOperationsRequest(name="projects/default"), timeout=5
    )
    assert [operation.name for operation in listed.operations] == [name]
    waited = await client.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=name), timeout=5)
    assert waited.done
    await client.operations.DeleteOperation(operations_pb2.DeleteOperationRequest(name=name), timeout=5)
    with pytest.raises(grpc.aio.AioRpcError):
        await client.get(name)
    dispatcher.cancel()
    await asyncio.wait({dispatcher})


@pytest.mark.parametrize("method", ["get", "watch"])
async def test_errors_of_the_registry_come_through_with_their_details(client, method) -> None:
    call = client.get(NAME) if method == "get" else client.watch(NAME).read()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert info_of(failed.value).reason == "NOT_FOUND"
    assert "x-request-id" in dict(failed.value.trailing_metadata())


@pytest.mark.parametrize("method", ["get", "watch"])
async def test_a_registry_that_is_away_is_named(client, registry, method) -> None:
    await registry.stop()
    call = client.get(NAME) if method == "get" else client.watch(NAME).read()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "the registry" in failed.value.details()
    assert "start the registry" in info_of(failed.value).metadata["hint"]
    await registry.start()


async def test_the_stream_from_the_registry_ends_with_the_client(observed, upstream) -> None:
    watch = observed.watch(NAME)
    await watch.read()
    watch.cancel()
    async with asyncio.timeout(5):
        await upstream.left.wait()


async def test_the_call_to_the_registry_ends_with_the_deadline_of_the_client(observed, upstream) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await observed.get("slow", timeout=0.2)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(5):
        await upstream.left.wait()


async def test_deadline_and_request_id_reach_the_registry(observed, upstream) -> None:
    await observed.get("any", timeout=7, metadata=(("x-request-id", "id-7"),))
    assert 5 < upstream.seen["remaining"] < 8
    assert upstream.seen["request_id"] == "id-7"
