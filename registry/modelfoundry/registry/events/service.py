"""Joins the parts that tell of events: what the registry's composition root starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session

from modelfoundry.api.registry.v1 import event_service_pb2, event_service_pb2_grpc
from modelfoundry.registry.bells import Bells
from modelfoundry.registry.events.history import History
from modelfoundry.registry.events.servicer import EventServicer
from modelfoundry.registry.events.watch import TOPIC, EventWatch
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.registry.records.journal import told_by
from modelfoundry.runtime.server import Background, Service

POLL_SECONDS: Final = 0.2
FORGET_SECONDS: Final = 3600.0
KEEP_ALIVE_SECONDS: Final = 15.0
TELLING_SECONDS: Final = 0.25
"""How long whoever deletes something or moves an alias waits for those who follow to hear of it first."""

_log = structlog.get_logger(__name__)


class EventService(Part):
    """Events, their gRPC service and its work in the background.

    Args:
        history: Where events are.
        now: The clock.
        keep_alive_seconds: Longest silence of a watch stream.
    """

    def __init__(
        self, history: History, now: Callable[[], datetime], *, keep_alive_seconds: float = KEEP_ALIVE_SECONDS
    ) -> None:
        super().__init__("events")
        self._history = history
        self._bells = Bells()
        self._newest = -1
        self._watch = EventWatch(history, self._bells, self.threads, keep_alive_seconds)
        self._servicer = EventServicer(history, self._watch, self.threads, now)
        self._loop: asyncio.AbstractEventLoop | None = None
        history.database.on_written(self._written)

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        add = event_service_pb2_grpc.add_EventServiceServicer_to_server
        return [service_of(event_service_pb2.DESCRIPTOR, add, self._servicer)]

    def background(self) -> Sequence[Background]:
        """See `Part`."""
        return [self.run]

    async def run(self) -> None:
        """Wakes those who watch, whichever registry on the database the change came through, and forgets; endless."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._forget())

    def _written(self, session: Session) -> None:
        """Tells of a change that came through this registry at once; called in the thread that made it."""
        told, loop = told_by(session), self._loop
        if told is None or loop is None or not self._bells.topics:
            return
        if not told.renames:
            with suppress(RuntimeError):  # the loop is closed: nobody follows any more
                loop.call_soon_threadsafe(self._bells.ring, TOPIC)
            return
        # Others may keep what a name means for as long as they hear of no change: it is told before it is answered.
        with suppress(RuntimeError, TimeoutError, CancelledError):
            asyncio.run_coroutine_threadsafe(self._tell(told.newest), loop).result(2 * TELLING_SECONDS)

    async def _tell(self, newest: int) -> None:
        self._bells.ring(TOPIC)
        await self._watch.all_told(newest, TELLING_SECONDS)

    async def _poll(self) -> None:
        while True:
            if self._bells.topics:
                try:
                    newest = await self.threads.run(self._history.newest)
                except Exception:  # noqa: BLE001 - the database may be away for a while
                    _log.exception("looking for new events failed")
                else:
                    if newest != self._newest:
                        self._newest = newest
                        self._bells.ring(TOPIC)
            await asyncio.sleep(POLL_SECONDS)

    async def _forget(self) -> None:
        while True:
            try:
                await self.threads.run(self._history.forget_old)
            except Exception:  # noqa: BLE001 - the database may be away for a while
                _log.exception("forgetting old events failed")
            await asyncio.sleep(FORGET_SECONDS)
