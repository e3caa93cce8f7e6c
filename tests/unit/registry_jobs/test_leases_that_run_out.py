"""Workers that die, workers that come back, and registries that come back."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest

from modelfoundry.errors import LeaseLost
from modelfoundry.names import ResourceName
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.lifecycle import Lifecycle


def test_a_job_whose_worker_does_not_report_is_queued_again_with_the_reason(queue: Any) -> None:
    name = queue.enqueue().name
    queue.take(seconds=15)
    queue.clock.move(15)
    assert queue.leases.give_back_expired() == []
    queue.clock.move(0.001)
    assert [operation.state for operation in queue.leases.give_back_expired()] == ["queued"]
    assert "worker@host:1 did not report for 15 seconds" in queue.status(queue.events(name)[-1].payload).message
    assert queue.leases.give_back_expired() == []


def test_a_report_prolongs_the_lease(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take(seconds=15)
    for _ in range(3):
        queue.clock.move(14)
        queue.leases.report(name, lease.token, None, [])
        assert queue.leases.give_back_expired() == []
    assert queue.archive.get(name).state == "running"


def test_a_worker_that_reports_while_its_lease_is_taken_back_keeps_its_job(
    queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = queue.enqueue().name
    lease = queue.take(seconds=15)
    queue.clock.move(16)
    changing = queue.ledger.changing

    def reported_first(looked_at: ResourceName) -> AbstractContextManager[Lifecycle]:
        """The worker's report comes between the look for expired leases and the lock on the job."""
        monkeypatch.undo()
        queue.leases.report(name, lease.token, None, [])
        return changing(looked_at)

    monkeypatch.setattr(queue.ledger, "changing", reported_first)
    assert queue.leases.give_back_expired() == []
    assert queue.archive.get(name).state == "running"
    assert queue.leases.complete(name, lease.token, queue.packed("the module")).state == "succeeded"


def test_a_zombie_worker_gets_lease_lost_after_its_lease_ran_out(queue: Any) -> None:
    name = queue.enqueue().name
    zombie = queue.take()
    queue.clock.move(16)
    queue.leases.give_back_expired()
    successor = queue.take()
    with pytest.raises(LeaseLost):
        queue.leases.report(name, zombie.token, queue.progress(99), [])
    with pytest.raises(LeaseLost):
        queue.leases.complete(name, zombie.token, queue.packed("stale"))
    assert queue.leases.complete(name, successor.token, queue.packed("right")).response == queue.packed("right")


def test_a_job_is_failed_when_its_workers_vanish_at_every_attempt(queue: Any) -> None:
    name = queue.enqueue(max_attempts=2).name
    for state in ("queued", "failed"):
        queue.take()
        queue.clock.move(16)
        assert [operation.state for operation in queue.leases.give_back_expired()] == [state]
    assert queue.states(name) == ["queued", "running", "queued", "running", "failed"]


def test_a_job_that_is_being_cancelled_ends_when_its_worker_vanishes(queue: Any) -> None:
    name = queue.enqueue().name
    queue.take()
    queue.archive.cancel(name)
    queue.clock.move(16)
    queue.leases.give_back_expired()
    assert queue.archive.get(name).state == "cancelled"


def test_a_registry_that_comes_back_lets_living_workers_report_before_it_gives_up_on_them(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    queue.clock.move(3600)  # no registry was there
    queue.leases.prolong_all()
    assert queue.leases.give_back_expired() == []
    queue.leases.report(name, lease.token, queue.progress(50), [])
    queue.clock.move(14)
    assert queue.leases.give_back_expired() == []


def test_a_new_registry_takes_up_running_jobs_of_the_old_one_with_their_checkpoints(
    queue: Any, database_url: str
) -> None:
    name = queue.enqueue().name
    lost = queue.take()
    queue.leases.save_checkpoint(name, lost.token, queue.checkpoint("a"))
    queue.database.close()

    successor = type(queue)(Database(database_url), queue.clock)
    successor.clock.move(3600)
    successor.leases.prolong_all()
    successor.clock.move(16)
    assert [operation.name for operation in successor.leases.give_back_expired()] == [name]
    lease = successor.take()
    assert (lease.name, lease.attempt, lease.checkpoint) == (name, 2, queue.checkpoint("a"))
    assert successor.leases.complete(name, lease.token, queue.packed("the module")).state == "succeeded"
    assert successor.states(name) == ["queued", "running", "queued", "running", "succeeded"]
    assert [event.sequence for event in successor.events(name)] == [1, 2, 3, 4, 5]
    successor.database.close()
