"""Graphs of provenance, events of the registry and webhooks."""

from __future__ import annotations

from collections.abc import Sequence

from modelfoundry.api.registry.v1 import event_service_pb2, provenance_pb2, webhook_service_pb2
from modelfoundry.values.lineage import (
    Dependents,
    Direction,
    EventKind,
    Lineage,
    LineageNode,
    RegistryEvent,
    Webhook,
    WebhookState,
)
from modelfoundry.wire.enums import enum_from_proto, enum_to_proto
from modelfoundry.wire.resources import provenance_edge_from_proto
from modelfoundry.wire.times import time_from_proto


def direction_to_proto(direction: Direction) -> provenance_pb2.LineageDirection.ValueType:
    """Value to number."""
    number: provenance_pb2.LineageDirection.ValueType = enum_to_proto(
        provenance_pb2.LineageDirection, "LINEAGE_DIRECTION", direction
    )
    return number


def lineage_from_proto(message: provenance_pb2.GetLineageResponse) -> Lineage:
    """Message to value, without steps whose relation a newer registry knows and this SDK does not."""
    edges = (provenance_edge_from_proto(edge) for edge in message.edges)
    return Lineage(
        nodes=tuple(map(lineage_node_from_proto, message.nodes)),
        edges=tuple(edge for edge in edges if edge is not None),
        truncated=message.truncated,
    )


def dependents_from_proto(message: provenance_pb2.ListDependentsResponse) -> Dependents:
    """Message to value."""
    return Dependents(
        nodes=tuple(map(lineage_node_from_proto, message.dependents)),
        total_count=message.total_count,
        aliases=tuple(message.aliases),
    )


def lineage_node_from_proto(message: provenance_pb2.LineageNode) -> LineageNode:
    """Message to value."""
    return LineageNode(
        name=message.name,
        collection=message.collection,
        display_name=message.display_name,
        digest=message.digest,
        create_time=time_from_proto(message, "create_time"),
        labels=tuple(message.labels),
        missing=message.missing,
        distance=message.distance,
    )


def event_filter_to_proto(kinds: Sequence[EventKind], collections: Sequence[str]) -> event_service_pb2.EventFilter:
    """The message of a filter."""
    numbers = [enum_to_proto(event_service_pb2.EventKind, "EVENT_KIND", kind) for kind in kinds]
    return event_service_pb2.EventFilter(kinds=numbers, collections=collections)


def event_from_proto(message: event_service_pb2.RegistryEvent) -> RegistryEvent | None:
    """Message to value; None for a keep-alive and for kinds that a newer registry knows."""
    kind = enum_from_proto(event_service_pb2.EventKind, "EVENT_KIND", message.kind, EventKind)
    if kind is None:
        return None
    return RegistryEvent(
        sequence=message.sequence,
        kind=kind,
        resource=message.resource,
        digest=message.digest,
        etag=message.etag,
        evaluation=message.evaluation,
        alias=message.alias,
        time=time_from_proto(message, "event_time"),
    )


def webhook_from_proto(message: webhook_service_pb2.Webhook) -> Webhook:
    """Message to value; a state that a newer registry knows reads as active."""
    known = (enum_from_proto(event_service_pb2.EventKind, "EVENT_KIND", n, EventKind) for n in message.filter.kinds)
    state = enum_from_proto(webhook_service_pb2.WebhookState, "WEBHOOK_STATE", message.state, WebhookState)
    return Webhook(
        name=message.name,
        url=message.url,
        kinds=tuple(kind for kind in known if kind is not None),
        collections=tuple(message.filter.collections),
        secret=message.secret,
        state=state or WebhookState.ACTIVE,
        delivered_sequence=message.delivered_sequence,
        failures=message.failures,
        last_error=message.last_error,
        next_attempt_time=time_from_proto(message, "next_attempt_time"),
        create_time=time_from_proto(message, "create_time"),
    )
