"""Follows the registry's events: the past ones first, then each as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from modelfoundry.registry.bells import Bell, Bells
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
        self._followers: set[Follower] = set()

    @contextmanager
    def following(self, query: EventQuery, after: int | None) -> Iterator[Follower]:
        """Somebody who follows, from here on: `all_told` waits for them too."""
        with self._bells.listening([TOPIC]) as bell:
            follower = Follower(bell, self._page, query, after, self._keep_alive_seconds)
            self._followers.add(follower)
            try:
                yield follower
            finally:
                self._followers.discard(follower)
                follower.leave()

    async def follow(self, query: EventQuery, after: int | None) -> AsyncGenerator[EventRow | Quiet]:
        """Yields the events that are meant with numbers above `after`, and signs of life; never ends by itself.

        Raises:
            CursorExpired, InvalidField: see `History.page`.
        """
        with self.following(query, after) as follower:
            async with aclosing(follower.events()) as events:
                async for event in events:
                    yield event

    async def all_told(self, sequence: int, seconds: float) -> None:
        """Returns when everybody who follows was told of all events up to a number, or after some time.

        Those who have not taken what they were told before are not waited for again.
        """
        waiting = [follower for follower in self._followers if not follower.is_late]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for follower in waiting:
                    await follower.told(sequence)
        for follower in waiting:
            follower.is_late = follower.through < sequence

    async def _page(self, query: EventQuery, after: int | None) -> EventPage:
        # A read that began before the last ring may have missed what it was rung for: it is not shared any more.
        key = (query, after, self._bells.rings(TOPIC))
        read = self._reads.get(key)
        if read is None:
            read = asyncio.create_task(self._threads.run(self._history.page, query, after, BATCH))
            self._reads[key] = read
            read.add_done_callback(lambda _: self._reads.pop(key, None))
        return await asyncio.shield(read)


class Follower:
    """One who follows, and how far they were told.

    Args:
        bell: Rung when there is something new.
        page: Reads the next events.
        query: Which are meant.
        after: Where to begin.
        keep_alive_seconds: Longest silence.
    """

    def __init__(
        self,
        bell: Bell,
        page: Callable[[EventQuery, int | None], Awaitable[EventPage]],
        query: EventQuery,
        after: int | None,
        keep_alive_seconds: float,
    ) -> None:
        self._bell = bell
        self._page = page
        self._query = query
        self._after = after
        self._keep_alive_seconds = keep_alive_seconds
        self._further = asyncio.Event()
        self._left = False
        self.through = -1
        """Up to this number all was told and taken."""
        self.is_late = False
        """Whether somebody waited for them in vain, and they have not caught up since."""

    async def events(self) -> AsyncGenerator[EventRow | Quiet]:
        """See `EventWatch.follow`."""
        while True:
            self._bell.silence()
            page = await self._page(self._query, self._after)
            for event in page.events:
                yield event
            self._after = self.through = page.through
            self._further.set()
            if page.through >= page.newest:
                self.is_late = False
                if not await self._bell.wait(self._keep_alive_seconds):
                    yield Quiet(page.through)

    async def told(self, sequence: int) -> None:
        """Returns when they were told of all up to a number, or follow no more."""
        while self.through < sequence and not self._left:
            self._further.clear()
            await self._further.wait()

    def leave(self) -> None:
        """They follow no more: nobody waits for them."""
        self._left = True
        self._further.set()
