"""Serves `OperationEventsService`: thin, the work is done by `OperationWatch` and `Archive`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from modelfoundry.api.operations.v1 import (
    operation_events_service_pb2,
    operation_events_service_pb2_grpc,
    operation_pb2,
)
from modelfoundry.names import parse_name
from modelfoundry.registry.jobs import messages
from modelfoundry.registry.jobs.archive import Archive
from modelfoundry.registry.jobs.operation import Clock
from modelfoundry.registry.jobs.watch import OperationWatch
from modelfoundry.registry.listing.pages import page_size
from modelfoundry.registry.threads import Threads
from modelfoundry.values.kinds import Kind

Context = grpc.aio.ServicerContext[Any, Any]


class OperationEventsServicer(operation_events_service_pb2_grpc.OperationEventsServiceServicer):
    """Tells what happens to jobs."""

    def __init__(self, archive: Archive, watch: OperationWatch, threads: Threads, clock: Clock) -> None:
        self._archive = archive
        self._watch = watch
        self._threads = threads
        self._clock = clock

    async def WatchOperation(
        self, request: operation_events_service_pb2.WatchOperationRequest, context: Context
    ) -> AsyncGenerator[operation_pb2.OperationEvent]:
        """Streams the events of a job until it is done."""
        name = parse_name(request.name, Kind.OPERATION, field="name")
        sequence = request.after_sequence
        async with aclosing(self._watch.follow(name, sequence)) as events:
            async for event in events:
                if event is None:
                    yield messages.keep_alive(name, sequence, self._clock())
                else:
                    sequence = event.sequence
                    yield messages.event_to_proto(name, event)

    async def ListOperationEvents(
        self, request: operation_events_service_pb2.ListOperationEventsRequest, context: Context
    ) -> operation_events_service_pb2.ListOperationEventsResponse:
        """Lists past events of a job."""
        name = parse_name(request.name, Kind.OPERATION, field="name")
        limit = page_size(request.page_size)
        page = await self._threads.run(self._archive.events, name, request.after_sequence, limit)
        return operation_events_service_pb2.ListOperationEventsResponse(
            events=[messages.event_to_proto(name, event) for event in page.events], more=page.more
        )
