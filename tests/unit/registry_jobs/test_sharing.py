"""Equal work is done once, and a repeated call gives the same job."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from modelfoundry.errors import RequestIdReused
from modelfoundry.registry.database import Database


def finish(queue: Any) -> Any:
    lease = queue.take()
    return queue.leases.complete(lease.name, lease.token, queue.packed("the module"))


def test_an_unfinished_job_is_shared(queue: Any) -> None:
    first = queue.enqueue(cache_key="k")
    assert queue.enqueue(cache_key="k").name == first.name
    queue.take()
    shared = queue.enqueue(cache_key="k")
    assert (shared.name, shared.cache_hit) == (first.name, False)


def test_a_succeeded_job_is_shared_as_a_cache_hit(queue: Any) -> None:
    first = queue.enqueue(cache_key="k")
    finish(queue)
    shared = queue.enqueue(cache_key="k")
    assert (shared.name, shared.cache_hit, shared.state) == (first.name, True, "succeeded")
    assert queue.archive.get(first.name).cache_hit is False


def test_a_result_that_is_gone_is_made_again_and_then_shared(queue: Any) -> None:
    first = queue.enqueue(cache_key="k")
    finish(queue)
    queue.gone.add(queue.packed("the module"))
    second = queue.enqueue(cache_key="k")
    assert second.name != first.name
    assert queue.enqueue(cache_key="k").name == second.name


@pytest.mark.parametrize("end", ["failed", "cancelled", "being cancelled"])
def test_a_job_without_a_result_is_not_shared(queue: Any, end: str) -> None:
    first = queue.enqueue(cache_key="k")
    lease = queue.take()
    if end == "being cancelled":
        queue.archive.cancel(first.name)
    else:
        queue.leases.fail(first.name, lease.token, queue.failure(), cancelled=end == "cancelled")
    second = queue.enqueue(cache_key="k")
    assert second.name != first.name
    assert queue.enqueue(cache_key="k").name == second.name


def test_force_makes_a_new_job_and_later_calls_share_the_newest(queue: Any) -> None:
    first = queue.enqueue(cache_key="k")
    forced = queue.enqueue(cache_key="k", force=True)
    assert forced.name != first.name
    assert queue.enqueue(cache_key="k").name == forced.name


def test_jobs_are_shared_neither_between_projects_nor_without_a_key(queue: Any) -> None:
    operations = [
        queue.enqueue(cache_key="k"),
        queue.enqueue(cache_key="k", project="another"),
        queue.enqueue(),
        queue.enqueue(),
    ]
    assert len({operation.name for operation in operations}) == 4


def test_a_repeated_request_id_gives_the_first_job_whatever_became_of_it(queue: Any) -> None:
    request_id = str(uuid.uuid4())
    first = queue.enqueue(request_id=request_id)
    lease = queue.take()
    queue.leases.fail(first.name, lease.token, queue.failure(), cancelled=False)
    again = queue.enqueue(request_id=request_id)
    assert (again.name, again.state) == (first.name, "failed")


def test_a_request_id_that_got_a_shared_job_keeps_to_it(queue: Any) -> None:
    first = queue.enqueue(cache_key="k")
    request_id = str(uuid.uuid4())
    assert queue.enqueue(cache_key="k", request_id=request_id).name == first.name
    queue.archive.cancel(first.name)
    assert queue.enqueue(cache_key="k", request_id=request_id).name == first.name


def test_a_repeated_call_that_was_a_cache_hit_is_one_again(queue: Any) -> None:
    queue.enqueue(cache_key="k")
    finish(queue)
    request_id = str(uuid.uuid4())
    assert queue.enqueue(cache_key="k", request_id=request_id).cache_hit
    assert queue.enqueue(cache_key="k", request_id=request_id).cache_hit


@pytest.mark.parametrize(
    "change",
    [{"kind": "train"}, {"target": "projects/default/models/x"}, {"cache_key": "j"}, {"force": True}, {"request": b""}],
    ids=str,
)
def test_a_request_id_cannot_be_used_for_another_request(queue: Any, change: dict[str, object]) -> None:
    request_id = str(uuid.uuid4())
    queue.enqueue(request_id=request_id, cache_key="k")
    with pytest.raises(RequestIdReused):
        queue.enqueue(**{"request_id": request_id, "cache_key": "k", **change})


@pytest.mark.parametrize("same", ["cache_key", "request_id"])
def test_fifty_simultaneous_calls_for_the_same_work_make_one_job(queue: Any, database_url: str, same: str) -> None:
    # Two registries on one database: what they share is the unique constraint, not a lock of the process.
    other = type(queue)(Database(database_url), queue.clock)
    key = {"cache_key": "k"} if same == "cache_key" else {"request_id": str(uuid.uuid4())}
    with ThreadPoolExecutor(50) as threads:
        calls = [threads.submit((queue, other)[number % 2].enqueue, **key) for number in range(50)]
        names = {call.result().name for call in calls}
    other.database.close()
    assert len(names) == 1
    assert len(queue.archive.list("default", 1000, "", "").operations) == 1
    assert queue.states(names.pop()) == ["queued"]
