from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.runtime.jobs import Dispatcher, Executor, ForkingExecutor, InlineExecutor, ProcessExecutor

CANCEL_SECONDS = 5.0


@contextlib.asynccontextmanager
async def dispatching(dispatcher: Dispatcher) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(dispatcher.run())
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def process_executor() -> ProcessExecutor:
    return ProcessExecutor(threads=3, log_level="warning")


def forking_executor() -> ForkingExecutor:
    return ForkingExecutor(threads=3, log_level="warning")


@pytest.fixture(params=[InlineExecutor, process_executor, forking_executor], ids=["inline", "process", "forked"])
async def dispatcher(request, registry, workload) -> AsyncIterator[Dispatcher]:
    executor: Executor = request.param()
    async with dispatching(Dispatcher(registry.target, workload, executor, slots=2)) as task:
        yield task


@pytest.fixture(params=[process_executor, forking_executor], ids=["process", "forked"])
def separate(request) -> Callable[[], Executor]:
    """Each way to run jobs in processes of their own."""
    return request.param


@pytest.fixture
async def processes(registry, workload, separate) -> AsyncIterator[asyncio.Task[None]]:
    async with dispatching(Dispatcher(registry.target, workload, separate(), slots=2)) as task:
        yield task


def states(events) -> list[str]:
    names = operation_pb2.OperationState.Name
    return [
        names(event.state_change.state).removeprefix("OPERATION_STATE_")
        for event in events
        if event.HasField("state_change")
    ]


async def appears(folder: Path, pattern: str) -> Path:
    async with asyncio.timeout(30):
        while not (found := list(folder.glob(pattern))):
            await asyncio.sleep(0.02)
    return found[0]


async def is_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_job_succeeds_with_progress_log_and_result(dispatcher, jobs, response, metadata) -> None:
    name = await jobs.start("answer", question="how many")
    events = await jobs.events(name)
    assert states(events) == ["QUEUED", "RUNNING", "SUCCEEDED"]
    progress = [event.progress for event in events if event.HasField("progress")][-1]
    assert (progress.phase, progress.done_units, progress.total_units, progress.unit) == ("counting", 5, 5, "step")
    assert progress.fraction == 1.0
    assert progress.metrics["loss"] == pytest.approx(0.2)
    lines = [(event.log.text, event.log.severity) for event in events if event.HasField("log")]
    assert lines == [
        ("counted to five", operation_pb2.SEVERITY_INFO),
        ("that was easy", operation_pb2.SEVERITY_WARNING),
    ]
    operation = await jobs.get(name)
    result = response(operation)
    assert (result["asked"], result["name"], result["attempt"]) == ("how many", name, 1)
    assert metadata(operation).attempt == 1


async def test_a_job_that_is_refused_fails_with_the_details(dispatcher, jobs) -> None:
    error = (await jobs.done(await jobs.start("refuse"))).error
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert error.message == "one tensor does not fit"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert error.details[0].Unpack(info)
    assert error.details[1].Unpack(bad)
    assert (info.reason, info.metadata["hint"]) == ("WEIGHTS_MISMATCH", "push other weights")
    assert bad.field_violations[0].field == "conv.weight"


async def test_a_job_that_breaks_down_tells_nothing_of_the_inside(dispatcher, jobs) -> None:
    name = await jobs.start("break_down")
    error = (await jobs.done(name)).error
    assert error.code == grpc.StatusCode.INTERNAL.value[0]
    assert b"secret" not in error.SerializeToString()
    assert name.encode() in error.SerializeToString()


async def test_an_unknown_handler_fails_the_job(registry, jobs) -> None:
    handlers = {"answer": "runtime_workload:no_such_function"}
    async with dispatching(Dispatcher(registry.target, handlers, process_executor())):
        error = (await jobs.done(await jobs.start("answer"))).error
    assert error.code == grpc.StatusCode.INTERNAL.value[0]


async def test_every_line_of_a_talkative_job_arrives_in_order(dispatcher, jobs) -> None:
    events = await jobs.events(await jobs.start("talk_much"))
    lines = [event.log.text for event in events if event.HasField("log")]
    assert lines[:250] == [f"line {number}" for number in range(250)]
    assert len(lines[250]) == 4096


async def test_a_job_that_cooperates_is_cancelled(dispatcher, jobs, tmp_path) -> None:
    name = await jobs.start("cooperate", folder=str(tmp_path))
    await jobs.works(name)
    await jobs.cancel(name)
    started = time.monotonic()
    events = await jobs.events(name)
    assert states(events) == ["QUEUED", "RUNNING", "CANCELLING", "CANCELLED"]
    assert time.monotonic() - started < CANCEL_SECONDS
    assert (await jobs.get(name)).error.code == grpc.StatusCode.CANCELLED.value[0]


async def test_a_slot_serves_again_after_a_cancelled_job(dispatcher, jobs, tmp_path) -> None:
    for _ in range(3):
        name = await jobs.start("cooperate", folder=str(tmp_path))
        await jobs.works(name)
        await jobs.cancel(name)
        await jobs.events(name)
    assert (await jobs.done(await jobs.start("answer"))).WhichOneof("result") == "response"


@pytest.mark.parametrize("kind", ["be_stuck", "be_slow_to_die"])
async def test_a_process_that_does_not_listen_is_killed_in_time(processes, jobs, tmp_path, kind) -> None:
    name = await jobs.start(kind, folder=str(tmp_path))
    pid = int((await appears(tmp_path, "pid-*")).name.removeprefix("pid-"))
    await jobs.works(name)
    await jobs.cancel(name)
    async with asyncio.timeout(CANCEL_SECONDS):
        events = await jobs.events(name)
    assert states(events)[-2:] == ["CANCELLING", "CANCELLED"]
    await is_gone(pid)


async def test_a_thread_that_does_not_listen_is_left_behind(registry, workload, jobs, tmp_path) -> None:
    async with dispatching(Dispatcher(registry.target, workload, InlineExecutor())):
        name = await jobs.start("be_slow_to_die", folder=str(tmp_path))
        await jobs.works(name)
        await jobs.cancel(name)
        async with asyncio.timeout(CANCEL_SECONDS):
            events = await jobs.events(name)
    assert states(events)[-1] == "CANCELLED"


async def test_a_process_computes_with_its_threads_and_without_torch(processes, jobs, response) -> None:
    result = response(await jobs.done(await jobs.start("answer")))
    assert result["threads"] == "3"
    assert result["torch"] is False
    assert result["pid"] != os.getpid()


async def test_a_killed_job_is_taken_up_again_from_its_checkpoint(processes, jobs, response, metadata) -> None:
    name = await jobs.start("die_once")
    events = await jobs.events(name)
    assert states(events) == ["QUEUED", "RUNNING", "QUEUED", "RUNNING", "SUCCEEDED"]
    requeued = [event.state_change.error for event in events if event.HasField("state_change")][2]
    assert "signal 9" in requeued.message
    operation = await jobs.get(name)
    assert response(operation) == {"attempt": 2, "from": f"sha256:{'c' * 64}"}
    assert metadata(operation).attempt == 2


async def test_a_job_that_kills_every_worker_fails_as_worker_lost(processes, jobs) -> None:
    events = await jobs.events(await jobs.start("leave"))
    assert states(events).count("RUNNING") == 3
    final = events[-1].state_change.error
    assert b"WORKER_LOST" in final.SerializeToString()
    assert "exit code 3" in final.message


async def test_a_stopping_dispatcher_gives_its_job_back(registry, workload, jobs, tmp_path, separate) -> None:
    async with dispatching(Dispatcher(registry.target, workload, separate())):
        name = await jobs.start("wait_for_second_life", folder=str(tmp_path))
        pid = int((await appears(tmp_path, "pid-*")).name.removeprefix("pid-"))
    await is_gone(pid)
    events = await jobs.events(name, until=lambda event: states([event]) == ["QUEUED"] and event.sequence > 1)
    assert "its service was stopped" in events[-1].state_change.error.message
    async with dispatching(Dispatcher(registry.target, workload, separate())):
        assert (await jobs.done(name)).WhichOneof("result") == "response"


@pytest.mark.parametrize("executor", ["ProcessExecutor", "ForkingExecutor"])
async def test_the_job_of_a_killed_dispatcher_is_taken_over(
    registry, workload, jobs, tmp_path, metadata, executor
) -> None:
    script = (
        "import asyncio, sys; from modelfoundry.runtime.jobs import *\n"
        "asyncio.run(Dispatcher(sys.argv[1], {'wait-for-second-life': 'runtime_workload:wait_for_second_life'},"
        f" {executor}(1), lease_seconds=4).run())"
    )
    first = subprocess.Popen([sys.executable, "-c", script, registry.target])
    try:
        name = await jobs.start("wait_for_second_life", folder=str(tmp_path))
        pid = int((await appears(tmp_path, "pid-*")).name.removeprefix("pid-"))
        await jobs.works(name)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    await is_gone(pid)  # the worker does not outlive its dispatcher
    async with dispatching(Dispatcher(registry.target, workload, process_executor())):
        operation = await jobs.done(name)
    assert operation.WhichOneof("result") == "response"
    assert metadata(operation).attempt == 2


async def test_the_job_of_a_killed_fork_server_is_taken_up_again(registry, workload, jobs, tmp_path, metadata) -> None:
    async with dispatching(Dispatcher(registry.target, workload, forking_executor())):
        name = await jobs.start("wait_for_second_life", folder=str(tmp_path))
        pid = int((await appears(tmp_path, "pid-*")).name.removeprefix("pid-"))
        psutil.Process(pid).parent().kill()
        await is_gone(pid)
        operation = await jobs.done(name)
    assert operation.WhichOneof("result") == "response"
    assert metadata(operation).attempt == 2


async def test_a_forked_job_finds_loaded_what_can_be_loaded(registry, workload, jobs, response) -> None:
    executor = ForkingExecutor(threads=1, preload=["no_such_module", "colorsys"], log_level="error")
    async with dispatching(Dispatcher(registry.target, workload, executor)):
        result = response(await jobs.done(await jobs.start("answer")))
    assert result["colorsys"] is True
    assert result["pid"] != os.getpid()


async def test_a_job_outlives_a_restart_of_the_registry(dispatcher, registry, jobs, tmp_path, metadata) -> None:
    name = await jobs.start("cooperate", folder=str(tmp_path))
    await jobs.works(name)
    await registry.stop()
    (tmp_path / "go").touch()  # the job ends while nobody can be told
    await asyncio.sleep(0.2)
    await registry.start()
    events = await jobs.events(name)
    assert [event.log.text for event in events if event.HasField("log")] == ["the file is there"]
    operation = await jobs.get(name)
    assert operation.WhichOneof("result") == "response"
    assert metadata(operation).attempt == 1


async def test_a_dispatcher_waits_for_a_registry_that_is_not_there_yet(registry, workload, jobs) -> None:
    await registry.stop()
    async with dispatching(Dispatcher(registry.target, workload, InlineExecutor())) as task:
        await asyncio.wait({task}, timeout=0.2)
        assert not task.done()
        await registry.start()
        assert (await jobs.done(await jobs.start("answer"))).WhichOneof("result") == "response"
