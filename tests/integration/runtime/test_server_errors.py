from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
import structlog
from served_calls import FOUR_KINDS, calling, details, failure, raising

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as decomposer_pb2
from modelfoundry.api.registry.v1 import blob_service_pb2 as blob_pb2
from modelfoundry.api.types.v1 import problem_pb2
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import running
from modelfoundry.wire.statuses import STATUS_BY_ERROR


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


async def test_a_cancelled_task_inside_a_handler_leaves_no_caller_waiting(caller, behaviour) -> None:
    async def act(context: Any) -> None:
        inner = asyncio.create_task(asyncio.Event().wait())
        inner.cancel()
        await inner

    behaviour.act = act
    assert (await failure(caller.unary())).code() is grpc.StatusCode.INTERNAL
