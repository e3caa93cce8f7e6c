"""RegistryService: one contract, of which two rooms know a part each."""

from __future__ import annotations

from collections.abc import Sequence

from modelfoundry.api.registry.v1 import registry_service_pb2, registry_service_pb2_grpc
from modelfoundry.registry.catalog.catalog import Catalog
from modelfoundry.registry.catalog.servicer import CatalogCalls
from modelfoundry.registry.jobs.nodes import job_nodes
from modelfoundry.registry.lineage.lineage import Lineages
from modelfoundry.registry.lineage.provenance import Provenance
from modelfoundry.registry.lineage.servicer import LineageCalls
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.runtime.server import Service


class RegistryServicer(CatalogCalls, LineageCalls, Part):
    """Serves `modelfoundry.api.registry.v1.RegistryService`.

    The threads are its own: a check of large weights keeps no job and no download waiting.
    """

    def __init__(self, shelf: Shelf) -> None:
        Part.__init__(self, "registry")
        CatalogCalls.__init__(self, Catalog(shelf), self.threads)
        LineageCalls.__init__(self, Lineages(shelf, job_nodes), Provenance(shelf), self.threads)

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        return [
            service_of(
                registry_service_pb2.DESCRIPTOR, registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, self
            )
        ]
