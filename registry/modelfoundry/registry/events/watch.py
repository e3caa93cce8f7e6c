"""Follows the registry's events: the past ones first, then each as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from modelfoundry.registry.bells import Bells
from modelfoundry.registry.events.history import EventPage, EventQuery, History
from modelfoundry.registry.records.event_tables import EventRow
from modelfoundry.registry.threads import Threads

BATCH: Final = 500
TOPIC: Final = "events"


@dataclass(frozen=True, slots=True)
class Quiet:
    """A sign of life: nothing that is meant happened up to this number."""

    through: int


class EventWatch:
    """Lets any number of watchers follow events. Those that ask for the same share one read of the database.

    Args:
        history: Where the events are.
        bells: `TOPIC` is rung when there is something new.
        threads: Where the reading is done.
        keep_alive_seconds: How long a watcher waits in silence.
    """

    def __init__(self, history: History, bells: Bells, threads: Threads, keep_alive_seconds: float) -> None:
        self._history = history
        self._bells = bells
        self._threads = threads
        self._keep_alive_seconds = keep_alive_seconds
        self._reads: dict[tuple[EventQuery, int | None, int], asyncio.Task[EventPage]] = {}

    async def follow(self, query: EventQuery, after: int | None) -> AsyncGenerator[EventRow | Quiet]:
        """Yields the events that are meant with numbers above `after`, and signs of life; never ends by itself.

        Raises:
            CursorExpired, InvalidField: see `History.page`.
        """
        with self._bells.listening([TOPIC]) as bell:
            while True:
                bell.silence()
                page = await self._page(query, after)
                for event in page.events:
                    yield event
                after = page.through
                if after >= page.newest and not await bell.wait(self._keep_alive_seconds):
                    yield Quiet(after)

    async def _page(self, query: EventQuery, after: int | None) -> EventPage:
        # A read that began before the last ring may have missed what it was rung for: it is not shared any more.
        key = (query, after, self._bells.rings(TOPIC))
        read = self._reads.get(key)
        if read is None:
            read = asyncio.create_task(self._threads.run(self._history.page, query, after, BATCH))
            self._reads[key] = read
            read.add_done_callback(lambda _: self._reads.pop(key, None))
        return await asyncio.shield(read)
