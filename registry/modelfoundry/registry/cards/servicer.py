"""CardService over gRPC: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from typing import Any

import grpc

from modelfoundry.api.registry.v1 import card_service_pb2, card_service_pb2_grpc
from modelfoundry.registry.cards.cards import Cards
from modelfoundry.registry.cards.codec import card_to_proto
from modelfoundry.registry.threads import Threads
from modelfoundry.runtime.server import Service

Context = grpc.aio.ServicerContext[Any, Any]


class CardServicer(card_service_pb2_grpc.CardServiceServicer):
    """Serves `modelfoundry.api.registry.v1.CardService`. Its threads are its own."""

    def __init__(self, cards: Cards) -> None:
        self._cards = cards
        self._threads = Threads("cards")

    def service(self) -> Service:
        """What the server needs to serve it."""
        return Service(
            card_service_pb2.DESCRIPTOR.services_by_name["CardService"].full_name,
            lambda server: card_service_pb2_grpc.add_CardServiceServicer_to_server(self, server),
        )

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self._threads.close()

    async def GetCard(self, request: card_service_pb2.GetCardRequest, context: Context) -> card_service_pb2.Card:
        """See the contract."""
        return await self._threads.run(self._get, request)

    def _get(self, request: card_service_pb2.GetCardRequest) -> card_service_pb2.Card:
        return card_to_proto(self._cards.card(request.name))
