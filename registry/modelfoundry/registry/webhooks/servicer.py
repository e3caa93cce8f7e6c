"""Serves `WebhookService`: thin, the work is done by `Webhooks`."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import webhook_service_pb2, webhook_service_pb2_grpc
from modelfoundry.names import parse_parent
from modelfoundry.registry.events.filters import query_from_proto
from modelfoundry.registry.threads import Threads
from modelfoundry.registry.webhooks.tables import WebhookRow
from modelfoundry.registry.webhooks.webhooks import WebhookDraft, Webhooks
from modelfoundry.values.lineage import EventKind, Webhook
from modelfoundry.wire.lineage import webhook_to_proto

Context = grpc.aio.ServicerContext[Any, Any]


class WebhookServicer(webhook_service_pb2_grpc.WebhookServiceServicer):
    """Keeps the list of webhooks."""

    def __init__(self, webhooks: Webhooks, threads: Threads) -> None:
        self._webhooks = webhooks
        self._threads = threads

    async def CreateWebhook(
        self, request: webhook_service_pb2.CreateWebhookRequest, context: Context
    ) -> webhook_service_pb2.Webhook:
        """Registers a webhook; the one answer that has its secret."""
        row = await self._threads.run(self._webhooks.create, _draft(request))
        return webhook_to_proto(webhook_of(row, with_secret=True))

    async def GetWebhook(
        self, request: webhook_service_pb2.GetWebhookRequest, context: Context
    ) -> webhook_service_pb2.Webhook:
        """Returns a webhook."""
        return webhook_to_proto(webhook_of(await self._threads.run(self._webhooks.get, request.name)))

    async def ListWebhooks(
        self, request: webhook_service_pb2.ListWebhooksRequest, context: Context
    ) -> webhook_service_pb2.ListWebhooksResponse:
        """Lists webhooks."""
        rows = await self._threads.run(self._webhooks.list, request.parent)
        return webhook_service_pb2.ListWebhooksResponse(webhooks=[webhook_to_proto(webhook_of(row)) for row in rows])

    async def DeleteWebhook(self, request: webhook_service_pb2.DeleteWebhookRequest, context: Context) -> Empty:
        """Forgets a webhook."""
        await self._threads.run(self._webhooks.delete, request.name)
        return Empty()


def webhook_of(row: WebhookRow, *, with_secret: bool = False) -> Webhook:
    """A stored webhook."""
    return Webhook(
        name=row.name,
        url=row.url,
        kinds=tuple(EventKind[kind] for kind in row.kinds),
        collections=tuple(row.collections),
        secret=row.secret if with_secret else "",
        state=row.state,
        delivered_sequence=row.delivered_sequence,
        failures=row.failures,
        last_error=row.last_error,
        next_attempt_time=row.next_attempt_time if row.failures else None,
        create_time=row.create_time,
    )


def _draft(request: webhook_service_pb2.CreateWebhookRequest) -> WebhookDraft:
    webhook = request.webhook
    return WebhookDraft(
        url=webhook.url,
        query=query_from_proto(parse_parent(request.parent), webhook.filter, field="webhook.filter"),
        id=request.webhook_id,
        secret=webhook.secret,
        after=request.after_sequence if request.HasField("after_sequence") else None,
    )
