"""Wakes the coroutines of this process that wait for something to happen to a job or to the queue."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


class Bell:
    """One waiting coroutine's bell. Silence it before looking at what may have changed, wait after."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wakes the waiting coroutine, or keeps its next wait from waiting."""
        self._rung.set()

    def silence(self) -> None:
        """From here on, `wait` waits for the next ring."""
        self._rung.clear()

    async def wait(self, seconds: float) -> bool:
        """Waits for a ring, at most some time; returns whether there was one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        return self._rung.is_set()


class Bells:
    """The bells of all topics. Belongs to one event loop."""

    def __init__(self) -> None:
        self._listening: dict[str, set[Bell]] = defaultdict(set)
        self._rings: Counter[str] = Counter()

    @property
    def topics(self) -> list[str]:
        """Topics that somebody waits for."""
        return list(self._listening)

    def rings(self, topic: str) -> int:
        """How often a topic was rung while somebody listened to it."""
        return self._rings[topic]

    def ring(self, *topics: str) -> None:
        """Wakes everybody who waits for one of the topics."""
        for topic in topics:
            if topic in self._listening:
                self._rings[topic] += 1
                for bell in self._listening[topic]:
                    bell.ring()

    @contextmanager
    def listening(self, topics: Iterable[str]) -> Iterator[Bell]:
        """A bell that the topics ring, as long as the context is open."""
        bell = Bell()
        heard = set(topics)
        for topic in heard:
            self._listening[topic].add(bell)
        try:
            yield bell
        finally:
            for topic in heard:
                self._listening[topic].discard(bell)
                if not self._listening[topic]:
                    del self._listening[topic]
                    self._rings.pop(topic, None)
