"""Which events a request means."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import event_service_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.registry.events.history import EventQuery
from modelfoundry.registry.records.tables import resource_tables
from modelfoundry.wire.lineage import EVENT_KIND


def query_from_proto(project: str, message: event_service_pb2.EventFilter, *, field: str) -> EventQuery:
    """Which events are meant.

    Args:
        project: Whose.
        message: The filter.
        field: Its path in the request.

    Raises:
        InvalidField: a kind or collection that there is not.
    """
    kinds = {EVENT_KIND.from_request(number, field=f"{field}.kinds") for number in message.kinds}
    collections = {_checked_collection(name, field=f"{field}.collections") for name in message.collections}
    return EventQuery(project, tuple(sorted(kinds)), tuple(sorted(collections)))


def _checked_collection(name: str, *, field: str) -> str:
    known = resource_tables()
    if name not in known:
        suggestions = near(name, known)
        raise InvalidField(
            f"{field}: there is no collection {shortened(name)!r}",
            field=field,
            hint=f"did you mean {suggestions[0]}?" if suggestions else f"use {', '.join(sorted(known))}",
        )
    return name
