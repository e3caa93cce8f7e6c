"""Tells everybody in the process that the server is about to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from modelfoundry.errors import Unavailable


class ShutdownSignal:
    """Given once, before the server stops. Belongs to one event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._ended: set[asyncio.Task[Any]] = set()

    @property
    def given(self) -> bool:
        """True from the moment that the server is stopping."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Returns when the server is stopping: for work that waits, such as a long poll."""
        await self._event.wait()

    def give(self) -> None:
        """Says that the server is stopping."""
        self._event.set()
        for task in list(self._ended):
            task.cancel()

    @asynccontextmanager
    async def ends(self) -> AsyncIterator[None]:
        """Interrupts its body when the server is stopping, as `asyncio.timeout` does when time is up.

        Raises:
            Unavailable: the server is stopping.
        """
        if self.given:
            raise _stopping()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("ShutdownSignal.ends needs a task")
        cancelling = task.cancelling()
        self._ended.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Somebody else may have cancelled the task too: then that stands.
            if self.given and task.uncancel() <= cancelling:
                raise _stopping() from None
            raise
        finally:
            self._ended.discard(task)


def _stopping() -> Unavailable:
    return Unavailable("the server is shutting down", hint="connect again and go on where the stream ended")
