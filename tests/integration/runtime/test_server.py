from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as decomposer_pb2
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc as decomposer_grpc
from modelfoundry.api.registry.v1 import blob_service_pb2 as blob_pb2
from modelfoundry.api.registry.v1 import blob_service_pb2_grpc as blob_grpc
from modelfoundry.api.types.v1 import problem_pb2
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import RunningServer, Service, running
from modelfoundry.runtime.status import STATUS_BY_ERROR

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


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def services(behaviour: Behaviour) -> tuple[Service, ...]:
    return (
        Service(BLOBS, lambda server: blob_grpc.add_BlobServiceServicer_to_server(Blobs(behaviour), server)),
        Service(
            DECOMPOSER, lambda server: decomposer_grpc.add_DecomposerServiceServicer_to_server(Decomposer(), server)
        ),
        echo_service(behaviour),
    )


@contextlib.asynccontextmanager
async def calling(server: RunningServer) -> AsyncIterator[Caller]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.enable_retries", 0)]) as channel:
        yield Caller(channel)


@pytest.fixture
async def server(services: tuple[Service, ...]) -> AsyncIterator[RunningServer]:
    async with running(services, options=QUICK) as server:
        yield server


@pytest.fixture
async def caller(server: RunningServer) -> AsyncIterator[Caller]:
    async with calling(server) as caller:
        yield caller


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


@pytest.mark.parametrize("error_class", STATUS_BY_ERROR, ids=lambda error_class: error_class.__name__)
async def test_every_domain_error_arrives_with_its_details(caller, behaviour, error_class) -> None:
    behaviour.act = raising(
        error_class("what was wrong", field="digest", hint="what to do", metadata={"resource": "projects/p/models/m"})
    )
    error = await failure(caller.unary())
    assert error.code() is STATUS_BY_ERROR[error_class]
    info = details(error)["ErrorInfo"]
    assert (info.reason, info.domain) == (error_class.reason, "modelfoundry.dev")
    if error_class is errors.Internal:
        assert error.details() == "internal error"
        return
    assert error.details() == "what was wrong"
    assert (info.metadata["field"], info.metadata["hint"]) == ("digest", "what to do")
    assert details(error)["ResourceInfo"].resource_name == "projects/p/models/m"
    assert ("BadRequest" in details(error)) is (error.code() is grpc.StatusCode.INVALID_ARGUMENT)
    assert ("RetryInfo" in details(error)) is (error.code() is grpc.StatusCode.UNAVAILABLE)


@pytest.mark.parametrize("kind", FOUR_KINDS)
async def test_all_kinds_of_calls_map_errors(caller, behaviour, kind) -> None:
    behaviour.act = raising(errors.UnknownLabel("no label bird", field="seam.problem", metadata={"near": "bid"}))
    error = await failure(caller.call(kind))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["ErrorInfo"].metadata["near"] == "bid"


@pytest.mark.parametrize("kind", FOUR_KINDS)
async def test_all_kinds_of_calls_work(caller, kind) -> None:
    assert await caller.call(kind) is not None


async def test_five_hundred_violations_arrive_cut_to_what_grpc_carries(caller, behaviour) -> None:
    violations = tuple(errors.FieldViolation(f"layer{number}.weight", "is missing " * 20) for number in range(500))
    behaviour.act = raising(errors.WeightsMismatch("tensors do not fit " * 500, violations=violations))
    error = await failure(caller.unary())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    told = details(error)["BadRequest"].field_violations
    assert told[0].field == "layer0.weight"
    assert told[-1].description == f"and {500 - (len(told) - 1)} more"


@pytest.mark.parametrize("kind", FOUR_KINDS)
async def test_an_unforeseen_failure_leaks_nothing_and_is_in_the_log(caller, behaviour, kind) -> None:
    behaviour.act = raising(ZeroDivisionError("password 1234"))
    with structlog.testing.capture_logs() as log:
        error = await failure(caller.call(kind))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == "internal error"
    assert "1234" not in str(error.trailing_metadata())
    assert "1234" not in str(details(error))
    entry = next(entry for entry in log if entry["event"] == "unexpected failure")
    assert entry["exc_info"]
    told = details(error)["RequestInfo"].request_id
    assert told == dict(error.trailing_metadata())["x-request-id"]


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


async def test_missing_fields_are_named_all_at_once_with_their_paths(caller) -> None:
    request = decomposer_pb2.DecomposeRequest(
        parent="projects/default", seam={"problem": {"multi_class": problem_pb2.MultiClassProblem()}}
    )
    error = await failure(caller.decomposer.Decompose(request, timeout=5))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    fields = [violation.field for violation in details(error)["BadRequest"].field_violations]
    assert fields == ["model", "dataset", "seam.problem.multi_class.labels"]
    assert "model" in error.details()
    assert "set model" in details(error)["ErrorInfo"].metadata["hint"]


async def test_each_message_of_a_stream_is_checked(caller) -> None:
    requests = [blob_pb2.WriteBlobRequest(name="a"), blob_pb2.WriteBlobRequest(name="x" * 70_000)]
    error = await failure(caller.blobs.WriteBlob(iter(requests), timeout=5))
    assert details(error)["ErrorInfo"].metadata["field"] == "name"


async def test_a_ten_megabyte_string_is_refused_by_the_name_of_its_field(caller) -> None:
    request = blob_pb2.GetBlobRequest(parent="p", digest="x" * 10_000_000)
    error = await failure(caller.blobs.GetBlob(request, timeout=10))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "digest has 10000000 characters, more than 65536"


async def test_a_message_above_the_limit_is_refused_with_limit_and_remedy(caller) -> None:
    chunk = blob_pb2.WriteBlobRequest(name="a", data=bytes(5 << 20))
    error = await failure(caller.blobs.WriteBlob(iter([chunk]), timeout=10))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    info = details(error)["ErrorInfo"]
    assert (info.reason, info.metadata["limit_bytes"]) == ("TOO_LARGE", str(4 << 20))
    assert "larger than max" in error.details()
    assert "chunks" in info.metadata["hint"]


async def test_a_huge_message_is_refused_by_core_before_it_fills_the_memory(caller) -> None:
    chunk = blob_pb2.WriteBlobRequest(name="a", data=bytes(17 << 20))
    error = await failure(caller.blobs.WriteBlob(iter([chunk]), timeout=10))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in error.details()


async def test_more_calls_than_allowed_are_refused_at_once(services, behaviour) -> None:
    behaviour.act = lambda context: behaviour.go.wait()
    async with (
        running(services, options=ServerOptions(lame_duck_seconds=0, max_concurrent_rpcs=2)) as server,
        calling(server) as caller,
    ):
        waiting = [asyncio.ensure_future(caller.call("unary_unary")) for _ in range(2)]
        async with asyncio.timeout(5):
            await behaviour.entered.wait()
            codes = {(await failure(caller.unary())).code() for _ in range(3)}
        behaviour.go.set()
        assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert len(await asyncio.gather(*waiting)) == 2


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


async def test_a_cancelled_task_inside_a_handler_leaves_no_caller_waiting(caller, behaviour) -> None:
    async def act(context: Any) -> None:
        inner = asyncio.create_task(asyncio.Event().wait())
        inner.cancel()
        await inner

    behaviour.act = act
    assert (await failure(caller.unary())).code() is grpc.StatusCode.INTERNAL


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
