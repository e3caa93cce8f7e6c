"""Joins the parts of webhooks: what the registry's composition root starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from modelfoundry.api.registry.v1 import webhook_service_pb2, webhook_service_pb2_grpc
from modelfoundry.registry.database import Database
from modelfoundry.registry.threads import Threads
from modelfoundry.registry.webhooks.deliveries import Deliveries
from modelfoundry.registry.webhooks.sending import Sender
from modelfoundry.registry.webhooks.servicer import WebhookServicer
from modelfoundry.registry.webhooks.webhooks import Webhooks
from modelfoundry.runtime.server import Service


class WebhookService:
    """Webhooks, their gRPC service and the deliveries in the background.

    Args:
        database: Where webhooks and events are.
        allow_private: Whether webhooks may be on private networks and on this machine.
        max_failures: After so many attempts in a row that failed, a webhook is disabled.
        now: The clock.
    """

    def __init__(
        self, database: Database, *, allow_private: bool, max_failures: int, now: Callable[[], datetime]
    ) -> None:
        webhooks = Webhooks(database, allow_private=allow_private, now=now)
        self._sender = Sender(Deliveries(database, max_failures=max_failures, now=now), allow_private=allow_private)
        self._servicer = WebhookServicer(webhooks, Threads("webhooks"))

    def service(self) -> Service:
        """What a server has to serve."""
        return Service(
            webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"].full_name,
            lambda server: webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server(self._servicer, server),
        )

    async def run(self) -> None:
        """Delivers events; until cancelled."""
        await self._sender.run()
