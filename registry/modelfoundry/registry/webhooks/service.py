"""Joins the parts of webhooks: what the registry's composition root starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from modelfoundry.api.registry.v1 import webhook_service_pb2, webhook_service_pb2_grpc
from modelfoundry.registry.database import Database
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.registry.webhooks.deliveries import Deliveries
from modelfoundry.registry.webhooks.sending import Sender
from modelfoundry.registry.webhooks.servicer import WebhookServicer
from modelfoundry.registry.webhooks.webhooks import Webhooks
from modelfoundry.runtime.server import Background, Service
from modelfoundry.values.kinds import Kind


class WebhookService(Part):
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
        super().__init__(Kind.WEBHOOK)
        webhooks = Webhooks(database, allow_private=allow_private, now=now)
        self._sender = Sender(Deliveries(database, max_failures=max_failures, now=now), allow_private=allow_private)
        self._servicer = WebhookServicer(webhooks, self.threads)

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        add = webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server
        return [service_of(webhook_service_pb2.DESCRIPTOR, add, self._servicer)]

    def background(self) -> Sequence[Background]:
        """Delivers events."""
        return [self._sender.run]
