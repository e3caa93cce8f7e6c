# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Provenance as a graph: where resources came from, and what depends on them."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import provenance_pb2
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import Transport
from modelfoundry.values.lineage import Dependents, Direction, Lineage
from modelfoundry.wire.lineage import dependents_from_proto, direction_to_proto, lineage_from_proto


def get_lineage(transport: Transport, name: str, direction: Direction, *, depth: int, max_nodes: int) -> Lineage:
    """Where a resource came from, and what came from it."""
    request = provenance_pb2.GetLineageRequest(
        name=name, direction=direction_to_proto(direction), depth=depth, max_nodes=max_nodes
    )
    method = transport.stubs.registry.GetLineage
    return lineage_from_proto(transport.unary(Service.REGISTRY, method, request, timeout=transport.timeouts.lists))


def list_dependents(transport: Transport, name: str) -> Dependents:
    """What goes with a resource that is deleted with `cascade`."""
    request = provenance_pb2.ListDependentsRequest(name=name)
    method = transport.stubs.registry.ListDependents
    return dependents_from_proto(transport.unary(Service.REGISTRY, method, request, timeout=transport.timeouts.lists))
