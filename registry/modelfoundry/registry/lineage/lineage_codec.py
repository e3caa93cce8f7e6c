"""Graphs of provenance, to and from their messages."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.registry.v1 import provenance_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.values.lineage import Dependents, Direction, Lineage, LineageNode
from modelfoundry.values.resources import ProvenanceEdge
from modelfoundry.wire.enums import enum_to_proto

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
        nodes=map(_node_to_proto, lineage.nodes),
        edges=map(edge_to_proto, lineage.edges),
        truncated=lineage.truncated,
    )


def dependents_to_proto(dependents: Dependents) -> provenance_pb2.ListDependentsResponse:
    """What a deletion takes with it."""
    return provenance_pb2.ListDependentsResponse(
        dependents=map(_node_to_proto, dependents.nodes),
        total_count=dependents.total_count,
        aliases=dependents.aliases,
    )


def edge_to_proto(edge: ProvenanceEdge) -> provenance_pb2.ProvenanceEdge:
    """A step of provenance."""
    message = provenance_pb2.ProvenanceEdge(
        subject=edge.subject,
        relation=enum_to_proto(provenance_pb2.Relation, "RELATION", edge.relation),
        object=edge.object,
        object_digest=edge.object_digest,
    )
    if edge.create_time is not None:
        message.create_time.FromDatetime(edge.create_time)
    return message


def _node_to_proto(node: LineageNode) -> provenance_pb2.LineageNode:
    message = provenance_pb2.LineageNode(
        name=node.name,
        collection=node.collection,
        display_name=node.display_name,
        digest=node.digest,
        labels=node.labels,
        missing=node.missing,
        distance=node.distance,
    )
    if node.create_time is not None:
        message.create_time.FromDatetime(node.create_time)
    return message
