"""CardService over gRPC: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from modelfoundry.api.registry.v1 import card_service_pb2, card_service_pb2_grpc
from modelfoundry.registry.cards.cards import Cards
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.runtime.server import Service
from modelfoundry.wire.cards import card_to_proto

Context = grpc.aio.ServicerContext[Any, Any]


class CardServicer(card_service_pb2_grpc.CardServiceServicer, Part):
    """Serves `modelfoundry.api.registry.v1.CardService`. Its threads are its own."""

    def __init__(self, cards: Cards) -> None:
        Part.__init__(self, "cards")
        self._cards = cards

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        return [service_of(card_service_pb2.DESCRIPTOR, card_service_pb2_grpc.add_CardServiceServicer_to_server, self)]

    async def GetCard(self, request: card_service_pb2.GetCardRequest, context: Context) -> card_service_pb2.Card:
        """See the contract."""
        return await self.threads.run(self._get, request)

    def _get(self, request: card_service_pb2.GetCardRequest) -> card_service_pb2.Card:
        return card_to_proto(self._cards.card(request.name))
