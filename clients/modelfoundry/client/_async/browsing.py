"""Calls that look around in the registry."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from modelfoundry.api.registry.v1 import provenance_pb2, search_pb2
from modelfoundry.client._async.events import followed_events, past_events
from modelfoundry.client._async.lineage import get_lineage, list_dependents
from modelfoundry.client._async.pages import each
from modelfoundry.client.requests import chosen
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.lineage import Dependents, Direction, EventKind, Lineage, RegistryEvent
from modelfoundry.values.references import Named, any_name
from modelfoundry.values.resources import ProvenanceEdge
from modelfoundry.values.searching import SearchResult
from modelfoundry.wire.lineage import event_filter_to_proto
from modelfoundry.wire.resources import provenance_edge_from_proto
from modelfoundry.wire.searching import search_result_from_proto


class AsyncBrowsing:
    """The part of a client that looks around in the registry; see `AsyncClient`."""

    parent: str
    _transport: AsyncTransport

    async def search(self, query: str = "", filter: str = "", order_by: str = "") -> AsyncIterator[SearchResult]:
        """Modules that answer a query, the most relevant first, fetched page by page.

        Args:
            query: Label text. Empty: all modules.
            filter: AIP-160 filter, for example `accuracy > 0.9 AND size_bytes < 2000000 AND license = "MIT"`.
            order_by: For example `size_bytes, accuracy desc`. Empty: by the reason of the match, equals by accuracy.

        Raises:
            InvalidField: query, filter or order are not as the contract says.
        """
        request = search_pb2.SearchModulesRequest(parent=self.parent, query=query, filter=filter, order_by=order_by)
        async for message in each(self._transport, self._transport.stubs.search.SearchModules, request, "results"):
            yield search_result_from_proto(message)

    async def provenance(self, filter: str = "") -> AsyncIterator[ProvenanceEdge]:
        """Steps of provenance, oldest first, page by page.

        Args:
            filter: AIP-160 filter over `subject`, `object`, `relation` (`MODULE_OF`, ...), `object_digest`,
                `create_time`.
        """
        request = provenance_pb2.ListProvenanceEdgesRequest(parent=self.parent, filter=filter)
        method = self._transport.stubs.registry.ListProvenanceEdges
        async for message in each(self._transport, method, request, "edges"):
            edge = provenance_edge_from_proto(message)
            if edge is not None:
                yield edge

    async def lineage(
        self, name: Named, *, depth: int = 0, direction: Direction | str = Direction.BOTH, max_nodes: int = 0
    ) -> Lineage:
        """Walks the provenance of a resource or job: where it came from, and what came from it.

        Args:
            name: A module (bare id), any other resource (`models/ID`) or job (`operations/ID`).
            depth: Steps at most. 0: the server's 10.
            direction: `ancestors`, `descendants` or `both`.
            max_nodes: Nodes at most, nearest first. 0: the server's 500.

        Raises:
            NotFound: there is no such resource, and no step of provenance names it.
        """
        way = chosen(direction, Direction, "direction")
        whole = any_name(name, self.parent)
        return await get_lineage(self._transport, whole, way, depth=depth, max_nodes=max_nodes)

    async def dependents(self, name: Named) -> Dependents:
        """What would be deleted together with a resource with `cascade`.

        Args:
            name: A module (bare id) or any other resource (`models/ID`).

        Raises:
            NotFound: there is no such resource.
        """
        return await list_dependents(self._transport, any_name(name, self.parent))

    async def events(
        self,
        after: int | None = None,
        *,
        kinds: Sequence[EventKind | str] = (),
        collections: Sequence[str] = (),
        follow: bool = True,
    ) -> AsyncIterator[RegistryEvent]:
        """Changes in the registry, past ones first. A broken stream is opened again: nothing is missed or comes twice.

        Args:
            after: Only events with a larger number: that of the last event seen. None: from the oldest that is kept.
            kinds: Which kinds of events: `created`, `updated`, `evaluated`, `aliased`, `deleted`. Empty: all.
            collections: Of which resources: `models`, `modules`, ... Empty: of all.
            follow: Go on with what happens from now on, without end.

        Raises:
            CursorExpired: events after `after` are not kept any more.
            Unavailable: the registry cannot be reached, after several attempts that brought nothing.
        """
        members = [chosen(kind, EventKind, "kinds") for kind in kinds]
        source = followed_events if follow else past_events
        async for event in source(self._transport, self.parent, event_filter_to_proto(members, collections), after):
            yield event
