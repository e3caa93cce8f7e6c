"""Events of the registry, to and from their messages."""

from __future__ import annotations

from datetime import datetime

from modelfoundry.api.registry.v1 import event_service_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.registry.events.history import EventQuery
from modelfoundry.registry.records.event_tables import EventKind, EventRow
from modelfoundry.registry.records.tables import resource_tables


def query_from_proto(project: str, message: event_service_pb2.EventFilter, *, field: str) -> EventQuery:
    """Which events are meant.

    Args:
        project: Whose.
        message: The filter.
        field: Its path in the request.

    Raises:
        InvalidField: a kind or collection that there is not.
    """
    kinds = (_kind_from_proto(number, field=f"{field}.kinds") for number in message.kinds)
    collections = (_checked_collection(name, field=f"{field}.collections") for name in message.collections)
    return EventQuery(project, tuple(sorted(set(kinds))), tuple(sorted(set(collections))))


def filter_to_proto(query: EventQuery) -> event_service_pb2.EventFilter:
    """The message of a filter."""
    return event_service_pb2.EventFilter(kinds=map(_kind_to_proto, query.kinds), collections=query.collections)


def event_to_proto(row: EventRow) -> event_service_pb2.RegistryEvent:
    """A stored event."""
    message = event_service_pb2.RegistryEvent(
        sequence=row.sequence,
        kind=_kind_to_proto(row.kind),
        resource=row.resource,
        digest=row.digest,
        etag=row.etag,
        evaluation=row.evaluation,
        alias=row.alias,
    )
    message.event_time.FromDatetime(row.event_time)
    return message


def keep_alive(sequence: int, now: datetime) -> event_service_pb2.RegistryEvent:
    """A sign of life."""
    message = event_service_pb2.RegistryEvent(sequence=sequence)
    message.event_time.FromDatetime(now)
    return message


def _kind_to_proto(kind: str) -> event_service_pb2.EventKind.ValueType:
    return event_service_pb2.EventKind.Value(f"EVENT_KIND_{kind}")


def _kind_from_proto(number: event_service_pb2.EventKind.ValueType, *, field: str) -> EventKind:
    try:
        return EventKind(event_service_pb2.EventKind.Name(number).removeprefix("EVENT_KIND_"))
    except ValueError:
        raise InvalidField(
            f"{field}: there is no kind {number}", field=field, hint=f"use {', '.join(EventKind)}"
        ) from None


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
