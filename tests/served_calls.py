"""A server of servicers that do what a test says, and a caller of one method of each kind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc as decomposer_grpc
from modelfoundry.api.registry.v1 import blob_service_pb2 as blob_pb2
from modelfoundry.api.registry.v1 import blob_service_pb2_grpc as blob_grpc
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import RunningServer, Service

BLOBS = "modelfoundry.api.registry.v1.BlobService"
DECOMPOSER = "modelfoundry.api.decomposer.v1.DecomposerService"
QUICK = ServerOptions(lame_duck_seconds=0, grace_seconds=5, readiness_seconds=0.05)
FOUR_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class Behaviour:
    """What the servicers of the tests do, settable by each test."""

    def __init__(self) -> None:
        self.act: Callable[[Any], Any] = _nothing
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.go = asyncio.Event()

    async def run(self, context: Any) -> None:
        self.entered.set()
        try:
            await self.act(context)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def _nothing(context: Any) -> None: ...


class Blobs(blob_grpc.BlobServiceServicer):
    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def GetBlob(self, request, context):  # noqa: N802
        await self._behaviour.run(context)
        return BlobRef(digest=request.digest)

    async def ReadBlob(self, request, context):  # noqa: N802
        yield blob_pb2.ReadBlobResponse(offset=0)
        await self._behaviour.run(context)
        yield blob_pb2.ReadBlobResponse(offset=1)

    async def WriteBlob(self, request_iterator, context):  # noqa: N802
        names = [request.name async for request in request_iterator]
        await self._behaviour.run(context)
        return blob_pb2.Upload(name=" ".join(names))


class Decomposer(decomposer_grpc.DecomposerServiceServicer): ...


def echo_service(behaviour: Behaviour) -> Service:
    """A service with a stream in both directions, which no contract of ours has yet."""

    async def echo(requests, context):
        async for request in requests:
            await behaviour.run(context)
            yield request

    async def watch(request, context):
        yield request
        await behaviour.run(context)

    handlers = {
        "Echo": grpc.stream_stream_rpc_method_handler(echo, BlobRef.FromString, BlobRef.SerializeToString),
        "WatchEcho": grpc.unary_stream_rpc_method_handler(watch, BlobRef.FromString, BlobRef.SerializeToString),
    }
    handler = grpc.method_handlers_generic_handler("test.EchoService", handlers)
    return Service("test.EchoService", lambda server: server.add_generic_rpc_handlers((handler,)))


def services_with(behaviour: Behaviour) -> tuple[Service, ...]:
    """The services of the tests: calls of all kinds to one of them, wrong requests to another, and the echo."""
    return (
        Service(BLOBS, lambda server: blob_grpc.add_BlobServiceServicer_to_server(Blobs(behaviour), server)),
        Service(
            DECOMPOSER, lambda server: decomposer_grpc.add_DecomposerServiceServicer_to_server(Decomposer(), server)
        ),
        echo_service(behaviour),
    )


class Caller:
    """Calls one method of each kind."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.blobs = blob_grpc.BlobServiceStub(channel)
        self.decomposer = decomposer_grpc.DecomposerServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)
        self.echo = channel.stream_stream("/test.EchoService/Echo", BlobRef.SerializeToString, BlobRef.FromString)
        self.watch_echo = channel.unary_stream(
            "/test.EchoService/WatchEcho", BlobRef.SerializeToString, BlobRef.FromString
        )

    def unary(self, timeout: float | None = 20, **metadata: str) -> Any:
        request = blob_pb2.GetBlobRequest(parent="projects/default", digest="sha256:0")
        return self.blobs.GetBlob(request, timeout=timeout, metadata=tuple(metadata.items()))

    async def call(self, kind: str) -> Any:
        """Calls to the end; returns the last response."""
        match kind:
            case "unary_unary":
                return await self.unary()
            case "stream_unary":
                return await self.blobs.WriteBlob(iter([blob_pb2.WriteBlobRequest(name="a")]), timeout=20)
            case "unary_stream":
                stream = self.blobs.ReadBlob(blob_pb2.ReadBlobRequest(parent="p", digest="d"), timeout=20)
            case "stream_stream":
                stream = self.echo(iter([BlobRef(digest="x")]), timeout=20)
        return [response async for response in stream][-1]

    async def check(self, service: str) -> int:
        return (await self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status


@contextlib.asynccontextmanager
async def calling(server: RunningServer) -> AsyncIterator[Caller]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.enable_retries", 0)]) as channel:
        yield Caller(channel)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


async def call_lines(log: list[Any], count: int) -> list[Any]:
    """The access log once it has `count` lines: a refused caller may know of its status before the log does."""
    async with asyncio.timeout(5):
        while len(lines := [entry for entry in log if entry["event"] == "call"]) < count:
            await asyncio.sleep(0.01)
    return lines


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """The details of a status by the name of their message."""
    status = rpc_status.from_call(error)
    assert status is not None
    found = {}
    for packed in status.details:
        message = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(message)
        found[type(message).__name__] = message
    return found


def raising(error: Exception) -> Callable[[Any], Any]:
    async def act(context: Any) -> None:
        raise error

    return act
