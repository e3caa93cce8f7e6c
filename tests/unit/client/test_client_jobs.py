"""Jobs are followed to their end, whatever the connection does."""

# ruff: noqa: N802 - servicers have the methods of the contract

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, training_service_pb2
from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceServicer
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.operations.v1 import operation_events_service_pb2, operation_pb2
from modelfoundry.api.operations.v1.operation_events_service_pb2_grpc import OperationEventsServiceServicer
from modelfoundry.api.registry.v1 import evaluation_pb2, model_pb2, module_pb2
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.types.v1 import blob_pb2, problem_pb2
from modelfoundry.client import (
    AsyncClient,
    BinaryProblem,
    BlobRef,
    Client,
    Evaluation,
    Export,
    ExportedFile,
    ExportFormat,
    JobState,
    LogWritten,
    Module,
    Progress,
    ProgressMade,
    Retries,
    Severity,
    StateChanged,
    Timeouts,
    TrainedModel,
)
from modelfoundry.wire.statuses import status_for

NAME = "projects/default/operations/o-1"
State = operation_pb2.OperationState


def event(sequence: int, **what: Any) -> operation_pb2.OperationEvent:
    made = operation_pb2.OperationEvent(operation=NAME, sequence=sequence, **what)
    made.event_time.FromDatetime(datetime(2026, 11, 23, 12, 0, sequence, tzinfo=UTC))
    return made


EVENTS = (
    event(1, state_change=operation_pb2.OperationStateChange(state=State.OPERATION_STATE_RUNNING)),
    event(2, progress=operation_pb2.Progress(phase="search", fraction=0.5, done_units=1, total_units=2, unit="epoch")),
    event(3, log=operation_pb2.LogLine(severity=operation_pb2.SEVERITY_WARNING, text="careful")),
    event(4, progress=operation_pb2.Progress(phase="search", fraction=1.0, metrics={"accuracy": 0.25})),
    event(5, state_change=operation_pb2.OperationStateChange(state=State.OPERATION_STATE_SUCCEEDED)),
)


class Ledger(
    RegistryServiceServicer,
    DecomposerServiceServicer,
    OperationEventsServiceServicer,
    operations_pb2_grpc.OperationsServicer,
):
    """One job. `cuts` says after how many events each stream in turn is cut."""

    def __init__(self, result: Message | errors.ModelFoundryError, cuts: tuple[int, ...] = ()) -> None:
        self.result = result
        self.cuts = list(cuts)
        self.watched: list[int] = []
        self.cancelled = threading.Event()
        self.stream_ended = threading.Event()
        self.endless = False
        self.done_at_start = False
        self.requests: list[decomposer_service_pb2.DecomposeRequest] = []

    def Decompose(
        self, request: decomposer_service_pb2.DecomposeRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.requests.append(request)
        return self.operation(done=self.done_at_start)

    def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        return self.operation(done=True)

    def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: grpc.ServicerContext
    ) -> operations_pb2.ListOperationsResponse:
        if not request.page_token:
            return operations_pb2.ListOperationsResponse(operations=[self.operation(done=True)], next_page_token="2")
        return operations_pb2.ListOperationsResponse(operations=[self.operation(done=False)])

    def CancelOperation(self, request: operations_pb2.CancelOperationRequest, context: grpc.ServicerContext) -> Empty:
        assert request.name == NAME
        self.cancelled.set()
        return Empty()

    def WatchOperation(
        self, request: operation_events_service_pb2.WatchOperationRequest, context: grpc.ServicerContext
    ) -> Iterator[operation_pb2.OperationEvent]:
        self.watched.append(request.after_sequence)
        left = self.cuts.pop(0) if self.cuts else -1
        context.add_callback(self.stream_ended.set)
        yield event(request.after_sequence, keep_alive=operation_pb2.KeepAlive())
        for one in EVENTS[request.after_sequence :]:
            if left == 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            left -= 1
            yield one
            if self.endless:
                self.stream_ended.wait(10)

    def GetModule(self, request: module_pb2.GetModuleRequest, context: grpc.ServicerContext) -> module_pb2.Module:
        problem = problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="horse"))
        return module_pb2.Module(name=request.name, problem=problem)

    def GetEvaluation(
        self, request: evaluation_pb2.GetEvaluationRequest, context: grpc.ServicerContext
    ) -> evaluation_pb2.Evaluation:
        return evaluation_pb2.Evaluation(name=request.name)

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        return model_pb2.Model(name=request.name)

    def operation(self, *, done: bool) -> operations_pb2.Operation:
        failed = isinstance(self.result, errors.ModelFoundryError)
        final = State.OPERATION_STATE_FAILED if failed else State.OPERATION_STATE_SUCCEEDED
        metadata = operation_pb2.OperationMetadata(
            kind="decompose", state=final if done else State.OPERATION_STATE_QUEUED, last_sequence=5 if done else 0
        )
        operation = operations_pb2.Operation(name=NAME, done=done)
        operation.metadata.Pack(metadata)
        if done and isinstance(self.result, errors.ModelFoundryError):
            operation.error.CopyFrom(status_for(self.result))
        elif done and isinstance(self.result, Message):
            operation.response.Pack(self.result)
        return operation


DECOMPOSED = decomposer_service_pb2.DecomposeResponse(modules=["projects/default/modules/horse"])


def test_a_job_gives_its_typed_result_and_tells_progress(serve: Any) -> None:
    told: list[Progress] = []
    with Client(serve(Ledger(DECOMPOSED))) as client:
        job = client.decompose("resnet20", "cifar10", label="horse")
        assert job.status.state is JobState.QUEUED
        warned: list[str] = []
        (module,) = job.wait(on_progress=told.append, timeout=30, on_warning=warned.append)
        assert job.status.state is JobState.SUCCEEDED
    assert warned == ["careful"]
    assert isinstance(module, Module)
    assert (module.id, module.problem) == ("horse", BinaryProblem("horse"))
    assert [progress.fraction for progress in told] == [0.5, 1.0]
    assert told[1].metrics == {"accuracy": 0.25}


async def test_a_job_gives_its_typed_result_to_asyncio_too(serve: Any) -> None:
    told: list[Progress] = []
    async with AsyncClient(serve(Ledger(DECOMPOSED))) as client:
        job = await client.decompose("resnet20", "cifar10", label="horse")
        (module,) = await job.wait(on_progress=told.append, timeout=30)
    assert module.id == "horse"
    assert [progress.fraction for progress in told] == [0.5, 1.0]


def test_events_have_types(serve: Any, call: Any) -> None:
    events = call(serve(Ledger(DECOMPOSED)), "jobs.watch", "o-1")
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    first, second, third, *_ = events
    assert first == StateChanged(sequence=1, time=datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC), state=JobState.RUNNING)
    assert isinstance(second, ProgressMade)
    assert (second.progress.phase, second.progress.unit) == ("search", "epoch")
    assert isinstance(third, LogWritten)
    assert (third.severity, third.text) == (Severity.WARNING, "careful")


@pytest.mark.parametrize("cut", range(6))
def test_a_broken_stream_goes_on_after_the_last_event(serve: Any, call: Any, cut: int) -> None:
    ledger = Ledger(DECOMPOSED, cuts=(cut,))
    events = call(serve(ledger), "jobs.watch", "o-1")
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert ledger.watched == ([0, cut] if cut < 5 else [0])


def test_a_stream_that_breaks_again_and_again_goes_on_as_long_as_it_brings_something(serve: Any, call: Any) -> None:
    events = call(serve(Ledger(DECOMPOSED, cuts=(1, 1, 1, 1))), "jobs.watch", "o-1")
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]


def test_events_after_a_number_are_the_rest(serve: Any, call: Any) -> None:
    assert [event.sequence for event in call(serve(Ledger(DECOMPOSED)), "jobs.watch", "o-1", 3)] == [4, 5]


def test_waiting_ends_when_its_time_is_over_and_the_job_goes_on(serve: Any) -> None:
    ledger = Ledger(DECOMPOSED)
    ledger.endless = True
    with Client(serve(ledger)) as client:
        job = client.decompose("resnet20", "cifar10", label="horse")
        with pytest.raises(errors.DeadlineExceeded, match="not done yet") as caught:
            job.wait(timeout=0.2)
    assert "job watch o-1" in caught.value.hint
    assert not ledger.cancelled.is_set()


def test_a_watch_that_outlives_one_stream_goes_on_in_another(serve: Any) -> None:
    class Slow(Ledger):
        def WatchOperation(
            self, request: operation_events_service_pb2.WatchOperationRequest, context: grpc.ServicerContext
        ) -> Iterator[operation_pb2.OperationEvent]:
            self.endless = len(self.watched) == 0
            self.stream_ended.clear()
            return super().WatchOperation(request, context)

    ledger = Slow(DECOMPOSED)
    with Client(serve(ledger), timeouts=Timeouts(watch=0.3)) as client:
        assert [event.sequence for event in client.jobs.watch("o-1")] == [1, 2, 3, 4, 5]
    assert ledger.watched == [0, 1]


def test_a_failed_job_raises_what_its_worker_raised(serve: Any) -> None:
    failure = errors.UnsupportedModel("no layer can be masked", hint="use another", metadata={"layer": "x"})
    with Client(serve(Ledger(failure))) as client, pytest.raises(errors.UnsupportedModel) as caught:
        client.decompose("m", "d", label="horse").wait()
    assert (caught.value.message, caught.value.hint) == ("no layer can be masked", "use another")
    assert caught.value.metadata["layer"] == "x"


def test_a_job_that_is_done_is_not_watched(serve: Any) -> None:
    ledger = Ledger(DECOMPOSED)
    ledger.done_at_start = True
    with Client(serve(ledger)) as client:
        client.decompose("m", "d", label="horse").wait()
    assert ledger.watched == []


def test_cancelling_asks_the_registry(serve: Any, call: Any) -> None:
    ledger = Ledger(DECOMPOSED)
    call(serve(ledger), "jobs.cancel", "o-1")
    assert ledger.cancelled.is_set()


def test_jobs_are_listed_over_all_pages(serve: Any, call: Any) -> None:
    jobs = call(serve(Ledger(DECOMPOSED)), "jobs.list")
    assert [job.status.state for job in jobs] == [JobState.SUCCEEDED, JobState.QUEUED]


def test_a_watch_that_is_left_is_cancelled(serve: Any) -> None:
    ledger = Ledger(DECOMPOSED)
    ledger.endless = True
    with Client(serve(ledger)) as client:
        for _ in client.jobs.watch("o-1"):
            break
        assert ledger.stream_ended.wait(10)


async def test_a_cancelled_task_cancels_its_call(serve: Any) -> None:
    ledger = Ledger(DECOMPOSED)
    ledger.endless = True
    async with AsyncClient(serve(ledger)) as client:
        job = await client.decompose("m", "d", label="horse")
        started = asyncio.Event()
        waiting = asyncio.create_task(job.wait())
        asyncio.get_running_loop().call_later(0.1, started.set)
        await started.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(ledger.stream_ended.wait, 10)


@pytest.mark.parametrize(
    ("response", "check"),
    [
        (
            evaluator_service_pb2.EvaluateResponse(evaluations=["projects/default/evaluations/e"]),
            lambda result: isinstance(result[0], Evaluation) and result[0].id == "e",
        ),
        (
            training_service_pb2.TrainModelResponse(model="projects/default/models/m", validation_accuracy=0.5),
            lambda result: isinstance(result, TrainedModel) and result == TrainedModel(result.model, 0.5),
        ),
        (
            reuser_service_pb2.ExportResponse(
                subject="s",
                format=reuser_service_pb2.EXPORT_FORMAT_ONNX,
                files=[reuser_service_pb2.ExportedFile(path="model.onnx", content=blob_pb2.BlobRef(digest="d"))],
                max_difference=0.5,
            ),
            lambda result: (
                result
                == Export(
                    subject="s",
                    format=ExportFormat.ONNX,
                    files=(ExportedFile("model.onnx", BlobRef("d")),),
                    max_difference=0.5,
                )
            ),
        ),
    ],
    ids=["evaluate", "train", "export"],
)
def test_a_job_found_again_gives_the_result_of_its_kind(serve: Any, response: Message, check: Any) -> None:
    with Client(serve(Ledger(response))) as client:
        assert check(client.jobs.get(NAME).wait())


def test_a_result_of_an_unknown_kind_asks_for_a_newer_client(serve: Any) -> None:
    with Client(serve(Ledger(Empty()))) as client, pytest.raises(errors.Internal) as caught:
        client.jobs.get("o-1").wait()
    assert "upgrade" in caught.value.hint


def test_remaining_time_is_a_duration_or_unknown() -> None:
    from modelfoundry.wire.jobs import progress_from_proto

    message = operation_pb2.Progress(phase="x")
    assert progress_from_proto(message).remaining is None
    message.remaining.FromTimedelta(timedelta(seconds=90))
    assert progress_from_proto(message).remaining == timedelta(seconds=90)


def test_backoff_grows_to_its_limit() -> None:
    retries = Retries(initial_backoff=0.1, max_backoff=0.5)
    assert [retries.backoff(failures) for failures in (1, 2, 3, 4)] == pytest.approx([0.1, 0.2, 0.4, 0.5])
