"""Subjects as the registry has them, kept for as long as its events say that nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import grpc
import structlog

from modelfoundry.api.registry.v1 import event_service_pb2 as pb
from modelfoundry.api.registry.v1 import event_service_pb2_grpc as pb_grpc
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.resources import Subject

MOST_PROJECTS: Final = 64
MOST_SUBJECTS: Final = 4096
SILENCE_SECONDS: Final = 40.0
"""The registry gives a sign of life every 15 seconds."""
FIRST_SECONDS: Final = 2.0
"""How long the first question about a project waits for its events to be followed."""
PAUSE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)
_FILTER: Final = pb.EventFilter(
    kinds=[
        pb.EVENT_KIND_CREATED,
        pb.EVENT_KIND_UPDATED,
        pb.EVENT_KIND_ALIASED,
        pb.EVENT_KIND_DELETED,
        pb.EVENT_KIND_UNALIASED,
    ],
    collections=[Kind.MODEL, Kind.MODULE, Kind.COMPOSITION],
)

Read = Callable[[], Awaitable[Subject]]


@dataclass(eq=False, slots=True)
class _Project:
    """What is known of a project, and how far it can be relied on."""

    known: dict[str, Subject] = field(default_factory=dict)
    live: bool = False
    """Whether every change since what is known was read would have been heard of."""
    changes: int = 0
    """Grows with everything that may make a subject that is being read an old one."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the first attempt to follow went well or failed."""
    task: asyncio.Task[None] | None = None

    def forget(self) -> None:
        """Nothing is known any more."""
        self.live = False
        self.changes += 1
        self.known.clear()

    def hear(self, event: pb.RegistryEvent) -> None:
        """Forgets what an event may have changed: the resource, and what names other than own ones stand for."""
        if event.kind == pb.EVENT_KIND_UNSPECIFIED:
            return
        self.changes += 1
        for name in [key for key, found in self.known.items() if key != found.name or found.name == event.resource]:
            del self.known[name]


class FollowedSubjects:
    """Answers what was read before without asking again, as long as the registry's events are followed.

    Where they are not, because the registry was away or does not answer, every question is one read. The registry tells
    those who follow of a deletion or a moved alias before it answers whoever did it (`registry/events`): who deletes a
    module and then asks for a prediction is not answered by it. Of what another registry process on the same database
    did, it tells within some tenths of a second. Belongs to one event loop.

    Args:
        registry: A channel to the registry.
    """

    def __init__(self, registry: grpc.aio.Channel) -> None:
        self._events = pb_grpc.EventServiceStub(registry)
        self._projects: dict[str, _Project] = {}

    async def get(self, parent: str, key: str, read: Read) -> Subject:
        """What a name stands for.

        Args:
            parent: `projects/{project}`.
            key: The name, as it is given; among those of the project it always means the same question.
            read: Asks the registry.

        Raises:
            NotFound, InvalidField, Unavailable: as `read` does; nothing is kept of a failure.
        """
        project = self._project(parent)
        if project is None:
            return await read()
        if not project.settled.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS):
                    await project.settled.wait()
        found = project.known.get(key)
        if found is not None:
            return found
        changes = project.changes
        found = await read()
        # What changed while it was read may have been read before the change, or after it.
        if project.live and project.changes == changes:
            if len(project.known) >= MOST_SUBJECTS:
                project.known.clear()
            project.known[key] = found
        return found

    async def close(self) -> None:
        """Follows nothing any more."""
        tasks = [project.task for project in self._projects.values() if project.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _project(self, parent: str) -> _Project | None:
        project = self._projects.get(parent)
        if project is None and len(self._projects) < MOST_PROJECTS:
            project = self._projects[parent] = _Project()
            project.task = asyncio.create_task(self._follow(parent, project))
        return project

    async def _follow(self, parent: str, project: _Project) -> None:
        while True:
            try:
                await self._hear(parent, project)
            except (grpc.RpcError, TimeoutError) as error:
                _log.info("events are not followed, subjects are read each time", project=parent, reason=_said(error))
            finally:
                project.forget()
                project.settled.set()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self, parent: str, project: _Project) -> None:
        # The end of the journal first, then what comes after it: whatever is read from here on, its changes are heard.
        past = await self._events.ListEvents(pb.ListEventsRequest(parent=parent, page_size=1), timeout=FIRST_SECONDS)
        request = pb.WatchEventsRequest(parent=parent, filter=_FILTER, after_sequence=past.newest_sequence)
        call = self._events.WatchEvents(request)
        try:
            async with asyncio.timeout(SILENCE_SECONDS) as silence:
                await call.initial_metadata()  # sent by the registry when it has begun to follow
                project.live = True
                project.settled.set()
                async for event in call:
                    silence.reschedule(asyncio.get_running_loop().time() + SILENCE_SECONDS)
                    project.hear(event)
        finally:
            call.cancel()


@asynccontextmanager
async def following(registry: grpc.aio.Channel) -> AsyncIterator[FollowedSubjects]:
    """Subjects of a registry, followed as long as the block runs."""
    subjects = FollowedSubjects(registry)
    try:
        yield subjects
    finally:
        await subjects.close()


def _said(error: Exception) -> str:
    return error.details() or str(error.code()) if isinstance(error, grpc.aio.AioRpcError) else str(error)
