# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Cards of resources."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import card_service_pb2
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import Transport
from modelfoundry.values.cards import Card
from modelfoundry.values.references import Named, any_name
from modelfoundry.wire.cards import card_from_proto


class Cards:
    """Cards of models, data sets, modules and compositions. Reached as `client.cards`."""

    def __init__(self, transport: Transport, parent: str) -> None:
        self._transport = transport
        self._parent = parent

    def get(self, resource: Named) -> Card:
        """The card of a resource as it is now. Owners extend it with `update` of the resource's collection.

        Args:
            resource: A module (bare id), or `models/ID`, `datasets/ID`, `compositions/ID`, a name, or the resource.

        Raises:
            NotFound: there is none; the hint names near ones.
            InvalidField: it is something that has no card.
        """
        request = card_service_pb2.GetCardRequest(name=any_name(resource, self._parent))
        method = self._transport.stubs.cards.GetCard
        return card_from_proto(
            self._transport.unary(Service.REGISTRY, method, request, timeout=self._transport.timeouts.lists)
        )
