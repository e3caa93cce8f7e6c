from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2
from served_calls import BLOBS, FOUR_KINDS, call_lines, calling, details, failure, raising

from modelfoundry import errors
from modelfoundry.api.registry.v1 import blob_service_pb2 as blob_pb2
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import running


@pytest.mark.parametrize("kind", FOUR_KINDS)
async def test_all_kinds_of_calls_work(caller, kind) -> None:
    assert await caller.call(kind) is not None


async def test_the_request_id_of_the_caller_is_kept_and_logged(caller, behaviour) -> None:
    bound = {}

    async def act(context: Any) -> None:
        bound.update(structlog.contextvars.get_contextvars())

    behaviour.act = act
    with structlog.testing.capture_logs() as log:
        call = caller.unary(**{"x-request-id": "abc-1"})
        await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "abc-1"
    assert bound["request_id"] == "abc-1"
    line = next(entry for entry in log if entry["event"] == "call")
    assert (line["method"], line["status"]) == (f"{BLOBS}/GetBlob", "OK")
    assert line["milliseconds"] >= 0


@pytest.mark.parametrize("sent", [{}, {"x-request-id": "a b"}, {"x-request-id": "x" * 65}], ids=["none", "odd", "long"])
async def test_a_call_without_a_usable_request_id_gets_one(caller, sent) -> None:
    call = caller.unary(**sent)
    await call
    assert len(dict(await call.trailing_metadata())["x-request-id"]) == 32


async def test_the_log_tells_the_status_of_failed_calls(caller, behaviour) -> None:
    behaviour.act = raising(errors.NotFound("no such blob"))
    with structlog.testing.capture_logs() as log:
        await failure(caller.unary())
        lines = await call_lines(log, 1)
    assert [line["status"] for line in lines] == ["NOT_FOUND"]


async def test_a_unary_call_without_a_deadline_gets_one(services, behaviour) -> None:
    behaviour.act = lambda context: behaviour.go.wait()
    async with (
        running(services, options=ServerOptions(lame_duck_seconds=0, unary_deadline_seconds=0.1)) as server,
        calling(server) as caller,
    ):
        error = await failure(caller.unary(timeout=None))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert details(error)["ErrorInfo"].reason == "DEADLINE_EXCEEDED"
        assert behaviour.cancelled.is_set()


async def test_a_stream_may_last_longer_than_a_unary_call(services, behaviour) -> None:
    async def act(context: Any) -> None:
        await asyncio.sleep(0.2)

    behaviour.act = act
    async with (
        running(services, options=ServerOptions(lame_duck_seconds=0, unary_deadline_seconds=0.05)) as server,
        calling(server) as caller,
    ):
        assert (await caller.call("unary_stream")).offset == 1


async def test_the_handler_is_cancelled_when_the_deadline_of_the_caller_has_passed(caller, behaviour) -> None:
    behaviour.act = lambda context: behaviour.go.wait()
    error = await failure(caller.unary(timeout=0.1))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(5):
        await behaviour.cancelled.wait()


async def test_the_handler_is_cancelled_when_the_client_goes_in_mid_stream(caller, behaviour) -> None:
    behaviour.act = lambda context: behaviour.go.wait()
    stream = caller.blobs.ReadBlob(blob_pb2.ReadBlobRequest(parent="p", digest="d"))
    await stream.read()
    async with asyncio.timeout(5):
        await behaviour.entered.wait()
        stream.cancel()
        await behaviour.cancelled.wait()
    assert await caller.check("") == health_pb2.HealthCheckResponse.SERVING


async def test_polling_that_works_is_not_worth_a_line_in_the_log(registry, jobs) -> None:
    with structlog.testing.capture_logs() as log:
        await failure(jobs.get("projects/default/operations/none"))
        await call_lines(log, 1)
        await jobs.get(await jobs.start("answer"))
        lines = await call_lines(log, 3)
    assert [(line["method"].rpartition("/")[2], line["log_level"]) for line in lines] == [
        ("GetOperation", "info"),
        ("EnqueueOperation", "info"),
        ("GetOperation", "debug"),
    ]
