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
from modelfoundry.wire.enums import Members
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.resources import PROVENANCE_EDGE

DIRECTION = Members(Direction, provenance_pb2.LineageDirection)
direction_to_proto = DIRECTION.to_proto

LINEAGE_NODE = Pair(LineageNode, provenance_pb2.LineageNode)

LINEAGE = Pair(Lineage, provenance_pb2.GetLineageResponse, LINEAGE_NODE, PROVENANCE_EDGE)
lineage_to_proto = LINEAGE.to_proto
lineage_from_proto = LINEAGE.from_proto

DEPENDENTS = Pair(Dependents, provenance_pb2.ListDependentsResponse, LINEAGE_NODE, names={"nodes": "dependents"})
dependents_to_proto = DEPENDENTS.to_proto
dependents_from_proto = DEPENDENTS.from_proto

EVENT_KIND = Members(EventKind, event_service_pb2.EventKind)
EVENT = Pair(RegistryEvent, event_service_pb2.RegistryEvent, names={"time": "event_time"})
event_to_proto = EVENT.to_proto
event_from_proto = EVENT.known_from_proto
"""None for a keep-alive, which has no kind, and for kinds that a newer registry knows."""

WEBHOOK = Pair(
    Webhook,
    webhook_service_pb2.Webhook,
    otherwise={"state": WebhookState.ACTIVE},
    elsewhere={"kinds", "collections"},
    unread={"filter"},
)


def event_filter_to_proto(kinds: Sequence[EventKind], collections: Sequence[str]) -> event_service_pb2.EventFilter:
    """The message of a filter."""
    return event_service_pb2.EventFilter(kinds=map(EVENT_KIND.to_proto, kinds), collections=collections)


def webhook_to_proto(webhook: Webhook) -> webhook_service_pb2.Webhook:
    """Value to message."""
    message = WEBHOOK.to_proto(webhook)
    message.filter.CopyFrom(event_filter_to_proto(webhook.kinds, webhook.collections))
    return message


def webhook_from_proto(message: webhook_service_pb2.Webhook) -> Webhook:
    """Message to value; kinds that a newer registry knows are left out."""
    kinds = map(EVENT_KIND.from_proto, message.filter.kinds)
    return WEBHOOK.from_proto(
        message,
        kinds=tuple(kind for kind in kinds if kind is not None),
        collections=tuple(message.filter.collections),
    )
