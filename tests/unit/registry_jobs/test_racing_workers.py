"""Workers that race for jobs, through one registry and through several on one database."""

from __future__ import annotations

import threading
from typing import Any

from modelfoundry.registry.database import Database


def test_two_workers_that_race_for_a_hundred_jobs_get_each_job_once(queue: Any, database_url: str) -> None:
    names = [queue.enqueue().name for _ in range(100)]
    taken: dict[str, list[Any]] = {"first": [], "second": []}
    start = threading.Barrier(2)

    def work(worker: str) -> None:
        registry = type(queue)(Database(database_url), queue.clock)
        start.wait()
        while (lease := registry.leases.take(["decompose"], worker, 15)) is not None:
            taken[worker].append(lease.name)
        registry.database.close()

    workers = [threading.Thread(target=work, args=(worker,)) for worker in taken]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(map(str, taken["first"] + taken["second"])) == sorted(map(str, names))
    # Neither may jump the queue: what one worker got, it got in the queue's order.
    for got in taken.values():
        assert got == [name for name in names if name in set(got)]


def test_reapers_that_race_give_a_lost_job_back_once(queue: Any, database_url: str) -> None:
    for _ in range(20):
        queue.enqueue()
        queue.take()
    queue.clock.move(16)
    given_back: list[Any] = []
    start = threading.Barrier(4)

    def reap() -> None:
        registry = type(queue)(Database(database_url), queue.clock)
        start.wait()
        given_back.extend(operation.name for operation in registry.leases.give_back_expired())
        registry.database.close()

    reapers = [threading.Thread(target=reap) for _ in range(4)]
    for reaper in reapers:
        reaper.start()
    for reaper in reapers:
        reaper.join()
    assert len(given_back) == len(set(given_back)) == 20
    assert all(queue.archive.get(name).last_sequence == 3 for name in given_back)


def test_a_cancel_that_races_with_the_end_leaves_one_end(queue: Any) -> None:
    for _ in range(20):
        name = queue.enqueue().name
        lease = queue.take()
        start = threading.Barrier(2)

        def cancel(name: Any = name, start: threading.Barrier = start) -> None:
            start.wait()
            queue.archive.cancel(name)

        canceller = threading.Thread(target=cancel)
        canceller.start()
        start.wait()
        queue.leases.complete(name, lease.token, queue.packed("the module"))
        canceller.join()
        assert queue.archive.get(name).state == "succeeded"
        assert queue.states(name) in (
            ["queued", "running", "succeeded"],
            ["queued", "running", "cancelling", "succeeded"],
        )
