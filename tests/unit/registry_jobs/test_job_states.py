"""Every change of a job's state, and the changes that must not happen."""

from __future__ import annotations

from typing import Any

import pytest
from google.rpc import code_pb2
from sqlalchemy import text

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.errors import BlobMissing, InUse, LeaseLost, NotFound
from modelfoundry.names import ResourceName
from modelfoundry.registry.jobs.messages import operation_to_proto
from modelfoundry.registry.jobs.operation import Operation, ProgressReport
from modelfoundry.values.results import JobState


def test_a_job_goes_from_queued_through_running_to_succeeded(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    assert (lease.name, lease.attempt, lease.request) == (name, 1, queue.packed("the request"))
    queue.clock.move(60)
    done = queue.leases.complete(name, lease.token, queue.packed("the module"))
    assert done == queue.archive.get(name)
    assert (done.state, done.response, done.error) == ("succeeded", queue.packed("the module"), None)
    assert (done.end_time - done.start_time).total_seconds() == 60
    assert queue.states(name) == ["queued", "running", "succeeded"]


@pytest.mark.parametrize("reported", [0.33, None], ids=["a third", "nothing"])
def test_every_job_that_succeeded_is_served_as_complete_whatever_was_reported_last(
    queue: Any, reported: float | None
) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    if reported is not None:
        progress = operation_pb2.Progress(phase="search", fraction=reported, done_units=33, total_units=100)
        progress.remaining.FromSeconds(60)
        queue.leases.report(name, lease.token, ProgressReport("search", progress.SerializeToString()), [])
        assert served(queue.archive.get(name)).fraction == reported
    queue.leases.complete(name, lease.token, queue.packed("the module"))

    (listed,) = queue.archive.list("default", 0, "", "").operations
    for operation in (queue.archive.get(name), listed):
        assert served(operation).fraction == 1.0
        assert not served(operation).HasField("remaining")


def test_a_job_that_failed_is_served_as_far_as_it_came(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    progress = operation_pb2.Progress(phase="search", fraction=0.33).SerializeToString()
    queue.leases.report(name, lease.token, ProgressReport("search", progress), [])
    queue.leases.fail(name, lease.token, queue.failure(), cancelled=False)
    assert served(queue.archive.get(name)).fraction == 0.33


def served(operation: Operation) -> operation_pb2.Progress:
    """The progress of a job as callers get it."""
    metadata = operation_pb2.OperationMetadata()
    operation_to_proto(operation).metadata.Unpack(metadata)
    return metadata.progress


def test_databases_hold_states_by_the_names_that_they_always_had(queue: Any) -> None:
    """Databases of before are read, and a registry of before could read this one."""
    name = queue.enqueue().name
    queue.leases.report(name, queue.take().token, queue.progress(1), [])
    with queue.database.session() as session:
        assert session.execute(text("SELECT state FROM operations")).scalars().all() == ["RUNNING"]
        written = session.execute(text("SELECT state FROM operation_events ORDER BY sequence")).scalars().all()
        assert written == ["QUEUED", "RUNNING", ""]
        session.execute(text("UPDATE operations SET state = 'CANCELLING'"))
    assert queue.archive.get(name).state is JobState.CANCELLING
    assert [event.state for event in queue.events(name)] == [JobState.QUEUED, JobState.RUNNING, None]
    assert queue.archive.list("default", 0, "", "state = CANCELLING").operations[0].name == name


def test_a_job_that_fails_keeps_its_error_and_tells_it_in_its_last_event(queue: Any) -> None:
    name = queue.enqueue().name
    error = queue.failure(code_pb2.FAILED_PRECONDITION, "no layer can be masked")
    failed = queue.leases.fail(name, queue.take().token, error, cancelled=False)
    assert (failed.state, failed.error, failed.response) == ("failed", error, None)
    assert queue.events(name)[-1].payload == error


def test_cancelling_a_queued_job_ends_it_at_once(queue: Any) -> None:
    name = queue.enqueue().name
    cancelled = queue.archive.cancel(name)
    assert cancelled.state == "cancelled"
    assert queue.status(cancelled.error).code == code_pb2.CANCELLED
    assert cancelled.end_time == queue.clock.now
    assert queue.leases.take(["decompose"], "worker", 15) is None


def test_a_running_job_is_told_to_stop_and_ends_as_cancelled(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    assert queue.leases.report(name, lease.token, None, []).state == "running"
    assert queue.archive.cancel(name).state == "cancelling"
    assert queue.leases.report(name, lease.token, None, []).state == "cancelling"
    queue.leases.fail(name, lease.token, queue.failure(code_pb2.CANCELLED), cancelled=True)
    assert queue.states(name) == ["queued", "running", "cancelling", "cancelled"]


def test_cancelling_twice_is_the_same_as_once(queue: Any) -> None:
    name = queue.enqueue().name
    queue.take()
    once = queue.archive.cancel(name)
    queue.clock.move(1)
    assert queue.archive.cancel(name) == once


def test_a_job_that_was_done_before_it_heard_of_the_cancelling_stays_succeeded(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    queue.archive.cancel(name)
    assert queue.leases.complete(name, lease.token, queue.packed("the module")).state == "succeeded"


def test_a_job_that_broke_while_being_cancelled_is_failed(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    queue.archive.cancel(name)
    assert queue.leases.fail(name, lease.token, queue.failure(), cancelled=False).state == "failed"


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_cancelling_a_job_that_is_done_changes_nothing(queue: Any, end: str) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    if end == "succeeded":
        done = queue.leases.complete(name, lease.token, queue.packed("the module"))
    else:
        done = queue.leases.fail(name, lease.token, queue.failure(), cancelled=end == "cancelled")
    queue.clock.move(1)
    assert queue.archive.cancel(name) == done


def test_a_released_job_is_queued_again_and_says_why(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    assert queue.leases.release(name, lease.token, "killed by signal 9").state == "queued"
    told = queue.status(queue.events(name)[-1].payload)
    assert told.code == code_pb2.UNAVAILABLE
    assert "killed by signal 9" in told.message
    assert queue.archive.get(name).error is None
    assert queue.take().attempt == 2


def test_a_job_whose_worker_is_lost_too_often_is_failed(queue: Any) -> None:
    name = queue.enqueue(max_attempts=2).name
    queue.leases.release(name, queue.take().token, "killed by signal 9")
    failed = queue.leases.release(name, queue.take().token, "killed by signal 9")
    assert failed.state == "failed"
    error = queue.status(failed.error)
    assert error.code == code_pb2.UNAVAILABLE
    assert b"WORKER_LOST" in failed.error
    assert queue.leases.take(["decompose"], "worker", 15) is None


def test_a_job_that_is_being_cancelled_is_cancelled_when_its_worker_is_lost(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    queue.archive.cancel(name)
    assert queue.leases.release(name, lease.token, "killed by signal 9").state == "cancelled"


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_a_repeated_last_call_of_the_worker_changes_nothing(queue: Any, end: str) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    queue.leases.complete(name, lease.token, queue.packed("the module"))
    done = queue.archive.get(name)
    queue.clock.move(1)
    again = {
        "complete": lambda: queue.leases.complete(name, lease.token, queue.packed("another module")),
        "fail": lambda: queue.leases.fail(name, lease.token, queue.failure(), cancelled=False),
        "release": lambda: queue.leases.release(name, lease.token, "the worker stopped"),
    }[end]()
    assert again == done == queue.archive.get(name)


@pytest.mark.parametrize("call", ["report", "checkpoint", "complete", "fail", "release"])
@pytest.mark.parametrize("lost_by", ["release", "another worker", "a made-up token"])
def test_calls_under_a_lease_that_is_not_held_are_refused_and_change_nothing(
    queue: Any, call: str, lost_by: str
) -> None:
    name = queue.enqueue().name
    token = queue.take().token
    if lost_by == "a made-up token":
        token = ""
    else:
        queue.leases.release(name, token, "killed by signal 9")
    if lost_by == "another worker":
        queue.take()
    before = queue.archive.get(name)
    calls = {
        "report": lambda: queue.leases.report(name, token, queue.progress(1), [queue.log_line("still here")]),
        "checkpoint": lambda: queue.leases.save_checkpoint(name, token, queue.checkpoint("a")),
        "complete": lambda: queue.leases.complete(name, token, queue.packed("the module")),
        "fail": lambda: queue.leases.fail(name, token, queue.failure(), cancelled=False),
        "release": lambda: queue.leases.release(name, token, "killed by signal 9"),
    }
    with pytest.raises(LeaseLost):
        calls[call]()
    assert queue.archive.get(name) == before


def test_a_job_that_is_done_takes_no_reports_and_no_checkpoints(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    queue.leases.complete(name, lease.token, queue.packed("the module"))
    with pytest.raises(LeaseLost):
        queue.leases.report(name, lease.token, queue.progress(1), [])
    with pytest.raises(LeaseLost):
        queue.leases.save_checkpoint(name, lease.token, queue.checkpoint("a"))


def test_the_oldest_job_of_the_kinds_is_taken_first(queue: Any) -> None:
    first, second = queue.enqueue().name, queue.enqueue().name
    measured = queue.enqueue(kind="evaluate").name
    lease = queue.take()
    assert lease.name == first
    queue.leases.release(first, lease.token, "killed by signal 9")
    assert [queue.take().name, queue.take("train", "evaluate", "decompose").name] == [first, second]
    assert queue.take("evaluate").name == measured


def test_only_a_job_that_is_done_can_be_deleted(queue: Any) -> None:
    name = queue.enqueue().name
    with pytest.raises(InUse):
        queue.archive.delete(name)
    lease = queue.take()
    with pytest.raises(InUse):
        queue.archive.delete(name)
    queue.leases.complete(name, lease.token, queue.packed("the module"))
    queue.archive.delete(name)
    with pytest.raises(NotFound):
        queue.archive.get(name)
    with pytest.raises(NotFound):
        queue.archive.events(name, 0, 10)


def test_an_unknown_job_is_not_found_and_near_names_are_told(queue: Any) -> None:
    name = queue.enqueue().name
    with pytest.raises(NotFound) as error:
        queue.archive.get(ResourceName("default", "operations", f"{name.id}x"))
    assert error.value.metadata["near"] == str(name)
    with pytest.raises(NotFound) as error:
        queue.archive.cancel(ResourceName("another", "operations", name.id))
    assert "near" not in error.value.metadata


class TestCheckpoints:
    def test_a_lost_job_is_taken_up_from_its_last_checkpoint(self, queue: Any) -> None:
        name = queue.enqueue().name
        lease = queue.take()
        assert lease.checkpoint is None
        for letter in "ab":
            queue.leases.save_checkpoint(name, lease.token, queue.checkpoint(letter))
        queue.leases.release(name, lease.token, "killed by signal 9")
        assert queue.take().checkpoint == queue.checkpoint("b")

    def test_a_superseded_checkpoint_is_released_and_the_last_one_at_the_end(self, queue: Any) -> None:
        name = queue.enqueue().name
        lease = queue.take()
        for letter in "aabb":
            queue.leases.save_checkpoint(name, lease.token, queue.checkpoint(letter))
        assert queue.released == [queue.checkpoint("a").digest]
        queue.leases.complete(name, lease.token, queue.packed("the module"))
        assert queue.released == [queue.checkpoint("a").digest, queue.checkpoint("b").digest]

    def test_a_checkpoint_that_another_job_has_too_is_not_released(self, queue: Any) -> None:
        first, second = queue.enqueue().name, queue.enqueue().name
        tokens = [queue.take().token, queue.take().token]
        for name, token in zip((first, second), tokens, strict=True):
            queue.leases.save_checkpoint(name, token, queue.checkpoint("a"))
        queue.leases.complete(first, tokens[0], queue.packed("the module"))
        assert queue.released == []
        queue.leases.complete(second, tokens[1], queue.packed("the module"))
        assert queue.released == [queue.checkpoint("a").digest]

    def test_a_checkpoint_whose_blob_was_not_uploaded_is_refused(self, queue: Any) -> None:
        name = queue.enqueue().name
        lease = queue.take()
        checkpoint = queue.checkpoint("a")
        queue.blobs.clear()
        with pytest.raises(BlobMissing):
            queue.leases.save_checkpoint(name, lease.token, checkpoint)

    def test_a_blob_store_that_cannot_release_does_not_fail_the_job(self, queue: Any, database: Any) -> None:
        name = queue.enqueue().name
        lease = queue.take()
        queue.leases.save_checkpoint(name, lease.token, queue.checkpoint("a"))

        class DeadStore(list[str]):
            def append(self, _: str) -> None:
                raise OSError("no such bucket")

        other = type(queue)(database, queue.clock, released=DeadStore())
        assert other.leases.complete(name, lease.token, queue.packed("the module")).state == "succeeded"
        assert queue.archive.get(name).state == "succeeded"
