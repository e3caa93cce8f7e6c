"""Serves `EventService`: thin, the work is done by `EventWatch` and `History`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

import grpc

from modelfoundry.api.registry.v1 import event_service_pb2, event_service_pb2_grpc
from modelfoundry.names import parse_parent
from modelfoundry.registry.events.filters import query_from_proto
from modelfoundry.registry.events.history import EventQuery, History, event_of
from modelfoundry.registry.events.watch import EventWatch, Quiet
from modelfoundry.registry.listing.pages import page_size
from modelfoundry.registry.threads import Threads
from modelfoundry.wire.lineage import event_to_proto
from modelfoundry.wire.well_known import timestamp_to_proto

Context = grpc.aio.ServicerContext[Any, Any]
Request = event_service_pb2.WatchEventsRequest | event_service_pb2.ListEventsRequest


class EventServicer(event_service_pb2_grpc.EventServiceServicer):
    """Tells what changes in the registry."""

    def __init__(self, history: History, watch: EventWatch, threads: Threads, now: Callable[[], datetime]) -> None:
        self._history = history
        self._watch = watch
        self._threads = threads
        self._now = now

    async def WatchEvents(
        self, request: event_service_pb2.WatchEventsRequest, context: Context
    ) -> AsyncGenerator[event_service_pb2.RegistryEvent]:
        """Streams changes for as long as the caller listens."""
        with self._watch.following(_query(request), _after(request)) as follower:
            # Whoever got this knows that from here on all is heard, also where nothing happens for a while.
            await context.send_initial_metadata(())
            async with aclosing(follower.events()) as events:
                async for event in events:
                    if isinstance(event, Quiet):
                        yield event_service_pb2.RegistryEvent(
                            sequence=event.through, event_time=timestamp_to_proto(self._now())
                        )
                    else:
                        yield event_to_proto(event_of(event))

    async def ListEvents(
        self, request: event_service_pb2.ListEventsRequest, context: Context
    ) -> event_service_pb2.ListEventsResponse:
        """Lists past changes."""
        limit = page_size(request.page_size)
        page = await self._threads.run(self._history.page, _query(request), _after(request), limit)
        return event_service_pb2.ListEventsResponse(
            events=[event_to_proto(event_of(row)) for row in page.events],
            through_sequence=page.through,
            newest_sequence=page.newest,
        )


def _query(request: Request) -> EventQuery:
    return query_from_proto(parse_parent(request.parent), request.filter, field="filter")


def _after(request: Request) -> int | None:
    return request.after_sequence if request.HasField("after_sequence") else None
