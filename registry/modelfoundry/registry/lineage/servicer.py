"""What RegistryService asks of provenance: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import provenance_pb2
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from modelfoundry.registry.lineage.lineage import Lineages, edge_of
from modelfoundry.registry.lineage.provenance import Provenance
from modelfoundry.registry.records.calls import fill_page, list_request
from modelfoundry.registry.threads import Threads, in_thread
from modelfoundry.values.lineage import Direction
from modelfoundry.wire.lineage import DIRECTION, dependents_to_proto, lineage_to_proto
from modelfoundry.wire.resources import provenance_edge_to_proto


class LineageCalls(RegistryServiceServicer):
    """The methods of `modelfoundry.api.registry.v1.RegistryService` that are about where resources came from."""

    def __init__(self, lineages: Lineages, provenance: Provenance, threads: Threads) -> None:
        self._lineages = lineages
        self._provenance = provenance
        self.threads = threads

    @in_thread
    def ListProvenanceEdges(
        self, request: provenance_pb2.ListProvenanceEdgesRequest
    ) -> provenance_pb2.ListProvenanceEdgesResponse:
        """See the contract."""
        response = provenance_pb2.ListProvenanceEdgesResponse()
        page = self._provenance.list(list_request(request))
        response.next_page_token = fill_page(page, lambda row: provenance_edge_to_proto(edge_of(row)), response.edges)
        return response

    @in_thread
    def GetLineage(self, request: provenance_pb2.GetLineageRequest) -> provenance_pb2.GetLineageResponse:
        """See the contract."""
        direction = DIRECTION.from_request(request.direction, field="direction", default=Direction.BOTH)
        lineage = self._lineages.walk(request.name, direction, request.depth, request.max_nodes)
        return lineage_to_proto(lineage)

    @in_thread
    def ListDependents(self, request: provenance_pb2.ListDependentsRequest) -> provenance_pb2.ListDependentsResponse:
        """See the contract."""
        return dependents_to_proto(self._lineages.dependents(request.name))
