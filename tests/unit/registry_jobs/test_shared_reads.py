"""Watchers share reads of the database, but never one that may have missed what they were woken for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from modelfoundry.registry.bells import Bells
from modelfoundry.registry.jobs.archive import Archive, StoredEvents
from modelfoundry.registry.jobs.watch import OperationWatch
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.registry.threads import Threads


class HeldUpArchive(Archive):
    """An archive whose first page arrives late."""

    def __init__(self, queue: Any) -> None:
        super().__init__(queue.ledger, TokenSigner(b"key"))
        self.reads = 0
        self.first_read = threading.Event()
        self.first_may_return = threading.Event()

    def events(self, *arguments: Any) -> StoredEvents:
        self.reads += 1
        page = super().events(*arguments)
        if self.reads == 1:
            self.first_read.set()
            self.first_may_return.wait()
        return page


async def sequences(watch: OperationWatch, name: Any) -> list[int]:
    return [event.sequence async for event in watch.follow(name, 0) if event is not None]


async def test_a_watcher_that_comes_after_an_event_does_not_share_a_read_from_before_it(queue: Any) -> None:
    name = queue.enqueue().name
    lease = queue.take()
    archive, bells = HeldUpArchive(queue), Bells()
    watch = OperationWatch(archive, bells, Threads("jobs"), keep_alive_seconds=60)
    early = asyncio.create_task(sequences(watch, name))
    await asyncio.to_thread(archive.first_read.wait)
    queue.leases.complete(name, lease.token, queue.packed("the module"))
    bells.ring(str(name))
    late = asyncio.create_task(sequences(watch, name))
    await asyncio.sleep(0)
    archive.first_may_return.set()
    assert await asyncio.wait_for(asyncio.gather(early, late), 20) == [[1, 2, 3], [1, 2, 3]]


async def test_watchers_that_come_together_share_one_read(queue: Any) -> None:
    name = queue.enqueue().name
    queue.archive.cancel(name)
    archive = HeldUpArchive(queue)
    archive.first_may_return.set()
    watch = OperationWatch(archive, Bells(), Threads("jobs"), keep_alive_seconds=60)
    seen = await asyncio.gather(*(sequences(watch, name) for _ in range(50)))
    assert seen == [[1, 2]] * 50
    assert archive.reads == 1
