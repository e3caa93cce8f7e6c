"""Follows the events of a job: the past ones first, then each as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from modelfoundry.names import ResourceName
from modelfoundry.registry.bells import Bells
from modelfoundry.registry.jobs.archive import Archive, StoredEvents
from modelfoundry.registry.jobs.operation import StoredEvent
from modelfoundry.registry.threads import Threads

BATCH: Final = 500


class OperationWatch:
    """Lets any number of watchers follow jobs.

    Watchers of one job that stand at the same event share one read of the database.

    Args:
        archive: Where the events are.
        bells: Rung with the job's name when there is something new.
        threads: Where the reading is done.
        keep_alive_seconds: How long a watcher waits in silence.
    """

    def __init__(self, archive: Archive, bells: Bells, threads: Threads, keep_alive_seconds: float) -> None:
        self._archive = archive
        self._bells = bells
        self._threads = threads
        self._keep_alive_seconds = keep_alive_seconds
        self._reads: dict[tuple[ResourceName, int, int], asyncio.Task[StoredEvents]] = {}

    async def follow(self, name: ResourceName, after: int) -> AsyncGenerator[StoredEvent | None]:
        """Yields the events with numbers above `after`, and None when it is time for a sign of life.

        Ends after the job's last event.

        Raises:
            NotFound: there is no such job, or it was deleted meanwhile.
            InvalidField: the job has no event `after`.
        """
        with self._bells.listening([str(name)]) as bell:
            while True:
                bell.silence()
                page = await self._page(name, after)
                for event in page.events:
                    yield event
                    after = event.sequence
                if page.done:
                    return
                if not page.more and not await bell.wait(self._keep_alive_seconds):
                    yield None

    async def _page(self, name: ResourceName, after: int) -> StoredEvents:
        # A read that began before the last ring may have missed what it was rung for: it is not shared any more.
        key = (name, after, self._bells.rings(str(name)))
        read = self._reads.get(key)
        if read is None:
            read = asyncio.create_task(self._threads.run(self._archive.events, name, after, BATCH))
            self._reads[key] = read
            read.add_done_callback(lambda _: self._reads.pop(key, None))
        return await asyncio.shield(read)
