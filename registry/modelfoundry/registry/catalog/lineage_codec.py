"""Graphs of provenance, to and from their messages."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.registry.v1 import provenance_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.registry.catalog.codec import edge_to_proto
from modelfoundry.registry.catalog.lineage import Dependents, Direction, Lineage
from modelfoundry.registry.catalog.nodes import Node

_DIRECTIONS: Final = {
    provenance_pb2.LINEAGE_DIRECTION_UNSPECIFIED: Direction.BOTH,
    provenance_pb2.LINEAGE_DIRECTION_ANCESTORS: Direction.ANCESTORS,
    provenance_pb2.LINEAGE_DIRECTION_DESCENDANTS: Direction.DESCENDANTS,
    provenance_pb2.LINEAGE_DIRECTION_BOTH: Direction.BOTH,
}


def direction_from_proto(number: provenance_pb2.LineageDirection.ValueType) -> Direction:
    """Which way to walk.

    Raises:
        InvalidField: a way that this registry does not know.
    """
    try:
        return _DIRECTIONS[number]
    except KeyError:
        raise InvalidField(
            f"direction is {number}", field="direction", hint="pass one of LineageDirection, or nothing for both"
        ) from None


def lineage_to_proto(lineage: Lineage) -> provenance_pb2.GetLineageResponse:
    """A part of the graph."""
    return provenance_pb2.GetLineageResponse(
        nodes=[_node_to_proto(node, distance) for node, distance in lineage.nodes],
        edges=[edge_to_proto(edge) for edge in lineage.edges],
        truncated=lineage.truncated,
    )


def dependents_to_proto(dependents: Dependents) -> provenance_pb2.ListDependentsResponse:
    """What a deletion takes with it."""
    return provenance_pb2.ListDependentsResponse(
        dependents=[_node_to_proto(node, distance) for node, distance in dependents.nodes],
        total_count=dependents.total_count,
        aliases=dependents.aliases,
    )


def _node_to_proto(node: Node, distance: int) -> provenance_pb2.LineageNode:
    message = provenance_pb2.LineageNode(
        name=node.name,
        collection=node.collection,
        display_name=node.display_name,
        digest=node.digest,
        labels=node.labels,
        missing=node.missing,
        distance=distance,
    )
    if node.create_time is not None:
        message.create_time.FromDatetime(node.create_time)
    return message
