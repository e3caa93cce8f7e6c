"""Changes in the registry, as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator

from modelfoundry import errors
from modelfoundry.api.registry.v1 import event_service_pb2
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.lineage import RegistryEvent
from modelfoundry.wire.lineage import event_from_proto

PAGE_SIZE = 1000


async def past_events(
    transport: AsyncTransport, parent: str, events: event_service_pb2.EventFilter, after: int | None
) -> AsyncIterator[RegistryEvent]:
    """Events that happened so far, page by page."""
    request = event_service_pb2.ListEventsRequest(
        parent=parent, filter=events, page_size=PAGE_SIZE, after_sequence=after
    )
    method = transport.stubs.registry_events.ListEvents
    end = -1
    while True:
        page = await transport.unary(Service.REGISTRY, method, request, timeout=transport.timeouts.lists)
        for message in page.events:
            event = event_from_proto(message)
            if event is not None:
                yield event
        # What happens meanwhile is not waited for: the list would not end in a busy registry.
        end = page.newest_sequence if end < 0 else end
        if page.through_sequence >= end:
            return
        request.after_sequence = page.through_sequence


async def followed_events(
    transport: AsyncTransport, parent: str, events: event_service_pb2.EventFilter, after: int | None
) -> AsyncIterator[RegistryEvent]:
    """Events as they happen, past ones first. A broken stream is opened again; nothing is missed or comes twice."""
    failures = 0
    while True:
        request = event_service_pb2.WatchEventsRequest(parent=parent, filter=events, after_sequence=after)
        method, seconds = transport.stubs.registry_events.WatchEvents, transport.timeouts.watch
        try:
            async with transport.receive(Service.REGISTRY, method, request, timeout=seconds) as messages:
                async for message in messages:
                    failures, after = 0, message.sequence
                    event = event_from_proto(message)
                    if event is not None:
                        yield event
        except (errors.Unavailable, errors.DeadlineExceeded):
            failures += 1
            if failures >= transport.retries.without_progress:
                raise
            await transport.pause(transport.retries.backoff(failures))
