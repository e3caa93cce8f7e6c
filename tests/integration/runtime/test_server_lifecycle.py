from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from served_calls import BLOBS, DECOMPOSER, QUICK, calling, failure

from modelfoundry import errors
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import running


async def test_reflection_lists_the_services_and_their_contracts(caller) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(caller.channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=BLOBS),
    ]
    responses = [response async for response in stub.ServerReflectionInfo(iter(requests), timeout=5)]
    names = {service.name for service in responses[0].list_services_response.service}
    assert {BLOBS, DECOMPOSER, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= names
    assert b"GetBlobRequest" in b"".join(responses[1].file_descriptor_response.file_descriptor_proto)


async def test_health_is_told_for_every_service_and_for_the_server(caller) -> None:
    serving = health_pb2.HealthCheckResponse.SERVING
    assert [await caller.check(name) for name in ("", BLOBS, DECOMPOSER)] == [serving] * 3
    error = await failure(caller.check("no.such.Service"))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_readiness(services) -> None:
    problem: list[Exception] = [errors.Unavailable("the database is away")]

    async def ready() -> None:
        if problem:
            raise problem[0]

    async with running(services, ready=ready, options=QUICK) as server, calling(server) as caller:
        watch = caller.health.Watch(health_pb2.HealthCheckRequest(service=BLOBS))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        problem.clear()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        problem.append(TimeoutError())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_a_readiness_check_that_hangs_means_not_ready(services) -> None:
    async with running(services, ready=asyncio.Event().wait, options=QUICK) as server, calling(server) as caller:
        assert await caller.check("") == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_taken_port_is_an_error_that_says_so(server) -> None:
    with pytest.raises(errors.Unavailable, match="the port is taken"):
        async with running((), listen=f"127.0.0.1:{server.port}"):
            pass


@pytest.mark.parametrize("listen", ["", "50051", "localhost", "host:port", "127.0.0.1:99999"])
async def test_an_address_that_is_none_is_an_error_that_says_so(listen) -> None:
    with pytest.raises(errors.InvalidField, match="is not host:port"):
        async with running((), listen=listen):
            pass


async def test_draining_lets_calls_end_and_ends_watches(server, caller, behaviour) -> None:
    behaviour.act = lambda context: behaviour.go.wait()
    unary = asyncio.ensure_future(caller.call("unary_unary"))
    download = asyncio.ensure_future(caller.call("unary_stream"))
    watch = caller.watch_echo(BlobRef(digest="x"))
    await watch.read()
    health = caller.health.Watch(health_pb2.HealthCheckRequest(service=BLOBS))
    assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
    draining = asyncio.ensure_future(server.drain())
    assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    error = await failure(watch.read())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "shutting down" in error.details()
    async with calling(server) as late:
        assert (await failure(late.unary(timeout=5))).code() is grpc.StatusCode.UNAVAILABLE
    assert not unary.done()
    behaviour.go.set()
    assert (await unary).digest == "sha256:0"
    assert (await download).offset == 1
    await draining


async def test_draining_stops_what_does_not_end_within_the_grace(services, behaviour) -> None:
    behaviour.act = lambda context: behaviour.go.wait()
    async with (
        running(services, options=ServerOptions(lame_duck_seconds=0, grace_seconds=0.1)) as server,
        calling(server) as caller,
    ):
        unary = asyncio.ensure_future(caller.call("unary_unary"))
        await behaviour.entered.wait()
        await server.drain()
        assert (await failure(unary)).code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert behaviour.cancelled.is_set()


async def test_background_work_starts_with_the_server_and_is_cancelled_with_it(services) -> None:
    seen = []

    async def work() -> None:
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async with running(services, background=[work], options=QUICK) as server, calling(server) as caller:
        await caller.call("unary_unary")
        assert seen == ["started"]
    assert seen == ["started", "ended"]
