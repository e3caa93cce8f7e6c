"""The queue and `google.longrunning.Operations` over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.wire.statuses import reason_of

DIGEST = f"sha256:{'a' * 64}"


async def test_a_job_goes_through_its_whole_life(registry: Any) -> None:
    queued = await registry.enqueue(target="projects/default/models/digits")
    assert not queued.done
    leased = await registry.lease()
    assert (leased.name, leased.kind, leased.attempt, leased.lease_duration.seconds) == (
        queued.name,
        "decompose",
        1,
        15,
    )
    assert not leased.HasField("checkpoint")
    await registry.queue.ReportProgress(
        queue_pb2.ReportProgressRequest(
            name=leased.name,
            lease_token=leased.lease_token,
            progress=operation_pb2.Progress(phase="search", fraction=0.5, metrics={"loss": float("nan")}),
        )
    )
    await registry.queue.SaveCheckpoint(
        queue_pb2.SaveCheckpointRequest(
            name=leased.name, lease_token=leased.lease_token, checkpoint=blob_pb2.BlobRef(digest=DIGEST, size_bytes=7)
        )
    )
    running = await registry.operations.GetOperation(operations_pb2.GetOperationRequest(name=queued.name))
    assert registry.metadata(running).progress.fraction == 0.5
    done = await registry.complete(leased)
    assert done.done
    assert done.WhichOneof("result") == "response"
    metadata = registry.metadata(done)
    assert metadata.state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert metadata.target == "projects/default/models/digits"
    assert metadata.last_sequence == 4
    assert await registry.operations.GetOperation(operations_pb2.GetOperationRequest(name=queued.name)) == done


async def test_an_error_with_all_its_details_comes_back(registry: Any) -> None:
    name = (await registry.enqueue()).name
    leased = await registry.lease()
    error = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="no such label")
    error.details.add().Pack(duration_pb2.Duration(seconds=3))
    await registry.queue.FailOperation(
        queue_pb2.FailOperationRequest(name=name, lease_token=leased.lease_token, error=error)
    )
    failed = await registry.operations.GetOperation(operations_pb2.GetOperationRequest(name=name))
    assert failed.error == error
    assert registry.metadata(failed).state == operation_pb2.OPERATION_STATE_FAILED


async def test_cancelling_reaches_the_worker_with_its_next_report(registry: Any) -> None:
    name = (await registry.enqueue()).name
    leased = await registry.lease()
    assert not await registry.log(leased)
    await registry.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    assert await registry.log(leased)
    cancelled = await registry.queue.FailOperation(
        queue_pb2.FailOperationRequest(
            name=name, lease_token=leased.lease_token, error=status_pb2.Status(code=code_pb2.CANCELLED)
        )
    )
    assert cancelled.error.code == code_pb2.CANCELLED
    assert registry.metadata(cancelled).state == operation_pb2.OPERATION_STATE_CANCELLED


async def test_a_waiting_worker_gets_a_job_as_soon_as_it_is_queued(start_registry: Any) -> None:
    # Without the background work: what wakes the worker is the call itself, not the poll.
    async with start_registry(background=False) as registry:
        waiting = asyncio.create_task(registry.lease(wait=30))
        await registry.lease()
        name = (await registry.enqueue()).name
        assert (await asyncio.wait_for(waiting, 20)).name == name


async def test_a_waiting_worker_gets_a_job_that_was_queued_through_another_registry(start_registry: Any) -> None:
    async with start_registry() as here, start_registry() as there:
        waiting = asyncio.create_task(here.lease(wait=30))
        await here.lease()
        name = (await there.enqueue()).name
        assert (await asyncio.wait_for(waiting, 20)).name == name


async def test_a_worker_that_waits_in_vain_gets_no_lease(registry: Any) -> None:
    assert await registry.lease(wait=0.1) is None
    await registry.enqueue(kind="evaluate")
    assert await registry.lease(wait=0.1) is None


async def test_many_waiting_workers_get_each_job_once(registry: Any) -> None:
    waiting = [asyncio.create_task(registry.lease(wait=30)) for _ in range(10)]
    names = {(await registry.enqueue()).name for _ in range(10)}
    leased = await asyncio.wait_for(asyncio.gather(*waiting), 30)
    assert len(leased) == len(names)
    assert {lease.name for lease in leased} == names


async def test_a_waiting_worker_is_sent_away_at_shutdown(start_registry: Any) -> None:
    async with start_registry() as registry:
        waiting = asyncio.create_task(registry.lease(wait=30))
        await registry.lease()
        await registry.server.drain()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await asyncio.wait_for(waiting, 10)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_reaper_gives_the_job_of_a_dead_worker_to_a_waiting_one(registry: Any) -> None:
    name = (await registry.enqueue()).name
    await registry.lease()
    waiting = asyncio.create_task(registry.lease(wait=30))
    registry.clock.ahead += registry.clock.ahead.resolution * 60_000_000
    leased = await asyncio.wait_for(waiting, 20)
    assert (leased.name, leased.attempt) == (name, 2)


async def test_a_lost_lease_is_told_as_aborted(registry: Any) -> None:
    name = (await registry.enqueue()).name
    leased = await registry.lease()
    await registry.queue.ReleaseOperation(
        queue_pb2.ReleaseOperationRequest(name=name, lease_token=leased.lease_token, cause="killed by signal 9")
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await registry.log(leased, "still here")
    assert error.value.code() is grpc.StatusCode.ABORTED
    assert reason_of(error.value) == "LEASE_LOST"


async def test_fifty_simultaneous_calls_for_the_same_work_get_one_job_and_later_ones_a_cache_hit(registry: Any) -> None:
    operations = await asyncio.gather(*(registry.enqueue(cache_key="k") for _ in range(50)))
    assert len({operation.name for operation in operations}) == 1
    assert not any(registry.metadata(operation).cache_hit for operation in operations)
    await registry.complete(await registry.lease())
    assert await registry.lease() is None
    again = await registry.enqueue(cache_key="k")
    assert again.done
    assert registry.metadata(again).cache_hit


async def test_waiting_for_a_job_ends_with_the_job_or_with_the_time(registry: Any) -> None:
    name = (await registry.enqueue()).name
    request = operations_pb2.WaitOperationRequest(name=name)
    request.timeout.FromMilliseconds(50)
    assert not (await registry.operations.WaitOperation(request)).done
    assert not (await registry.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=name), timeout=2)).done
    waiting = asyncio.ensure_future(
        registry.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=name), timeout=30)
    )
    await registry.complete(await registry.lease())
    assert (await waiting).done


async def test_jobs_are_listed_and_deleted(registry: Any) -> None:
    names = [(await registry.enqueue()).name for _ in range(3)]
    for parent in ("projects/default", "projects/default/operations"):
        page = await registry.operations.ListOperations(
            operations_pb2.ListOperationsRequest(name=parent, page_size=2, filter="state = QUEUED")
        )
        assert [operation.name for operation in page.operations] == names[:0:-1]
        assert page.next_page_token
    delete = operations_pb2.DeleteOperationRequest(name=names[0])
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await registry.operations.DeleteOperation(delete)
    assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    await registry.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=names[0]))
    await registry.operations.DeleteOperation(delete)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await registry.operations.GetOperation(operations_pb2.GetOperationRequest(name=names[0]))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


LONG = "x" * 600
LEASE = {"name": "projects/default/operations/decompose-1", "lease_token": "t"}


@pytest.mark.parametrize(
    ("method", "request_message", "field"),
    [
        ("EnqueueOperation", {"parent": "default"}, "parent"),
        ("EnqueueOperation", {"kind": "../etc"}, "kind"),
        ("EnqueueOperation", {"kind": "k" * 41}, "kind"),
        ("EnqueueOperation", {"request": any_pb2.Any()}, "request"),
        ("EnqueueOperation", {"max_attempts": 11}, "max_attempts"),
        ("EnqueueOperation", {"max_attempts": -1}, "max_attempts"),
        ("EnqueueOperation", {"request_id": "seven"}, "request_id"),
        ("EnqueueOperation", {"cache_key": LONG}, "cache_key"),
        ("EnqueueOperation", {"target": LONG}, "target"),
        ("EnqueueOperation", {"target": "projects/default\0"}, "target"),
        ("LeaseOperation", {"kinds": [], "owner": "w"}, "kinds"),
        ("LeaseOperation", {"kinds": ["decompose", ""], "owner": "w"}, "kinds[1]"),
        ("LeaseOperation", {"kinds": ["train"], "owner": "w", "wait": duration_pb2.Duration(seconds=31)}, "wait"),
        ("LeaseOperation", {"kinds": ["train"], "owner": "w", "wait": duration_pb2.Duration(seconds=-1)}, "wait"),
        (
            "LeaseOperation",
            {"kinds": ["train"], "owner": "w", "lease_duration": duration_pb2.Duration(nanos=1)},
            "lease_duration",
        ),
        ("ReportProgress", {**LEASE, "name": "decompose-1"}, "name"),
        ("ReportProgress", {**LEASE, "progress": operation_pb2.Progress(fraction=1.5)}, "progress.fraction"),
        ("ReportProgress", {**LEASE, "progress": operation_pb2.Progress(fraction=float("nan"))}, "progress.fraction"),
        ("ReportProgress", {**LEASE, "log": [operation_pb2.LogLine()] * 101}, "log"),
        ("ReportProgress", {**LEASE, "log": [operation_pb2.LogLine(text="é" * 2049)]}, "log[0].text"),
        ("SaveCheckpoint", {**LEASE, "checkpoint": blob_pb2.BlobRef(digest="sha256:no")}, "checkpoint.digest"),
        ("CompleteOperation", {**LEASE, "response": any_pb2.Any()}, "response"),
        ("FailOperation", {**LEASE, "error": status_pb2.Status()}, "error.code"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_bad_input_is_refused_and_the_field_is_named(
    registry: Any, method: str, request_message: dict[str, Any], field: str
) -> None:
    request_type = getattr(queue_pb2, f"{method}Request")
    if method == "EnqueueOperation":
        good = {"parent": "projects/default", "kind": "decompose"}
        request_message = {**good, "request": any_pb2.Any(type_url="type.googleapis.com/x"), **request_message}
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await getattr(registry.queue, method)(request_type(**request_message))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(error.value)
    assert field.encode() in b"".join(detail.value for detail in status.details)
    assert not (
        await registry.operations.ListOperations(operations_pb2.ListOperationsRequest(name="projects/default"))
    ).operations
