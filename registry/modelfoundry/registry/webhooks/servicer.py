"""Serves `WebhookService`: thin, the work is done by `Webhooks`."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import webhook_service_pb2, webhook_service_pb2_grpc
from modelfoundry.names import parse_parent
from modelfoundry.registry.events.codec import filter_to_proto, query_from_proto
from modelfoundry.registry.events.history import EventQuery
from modelfoundry.registry.records.event_tables import EventKind
from modelfoundry.registry.threads import Threads
from modelfoundry.registry.webhooks.tables import WebhookRow
from modelfoundry.registry.webhooks.webhooks import WebhookDraft, Webhooks

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
        message = webhook_to_proto(row)
        message.secret = row.secret
        return message

    async def GetWebhook(
        self, request: webhook_service_pb2.GetWebhookRequest, context: Context
    ) -> webhook_service_pb2.Webhook:
        """Returns a webhook."""
        return webhook_to_proto(await self._threads.run(self._webhooks.get, request.name))

    async def ListWebhooks(
        self, request: webhook_service_pb2.ListWebhooksRequest, context: Context
    ) -> webhook_service_pb2.ListWebhooksResponse:
        """Lists webhooks."""
        rows = await self._threads.run(self._webhooks.list, request.parent)
        return webhook_service_pb2.ListWebhooksResponse(webhooks=map(webhook_to_proto, rows))

    async def DeleteWebhook(self, request: webhook_service_pb2.DeleteWebhookRequest, context: Context) -> Empty:
        """Forgets a webhook."""
        await self._threads.run(self._webhooks.delete, request.name)
        return Empty()


def webhook_to_proto(row: WebhookRow) -> webhook_service_pb2.Webhook:
    """A stored webhook, without its secret."""
    query = EventQuery(row.project, tuple(map(EventKind, row.kinds)), tuple(row.collections))
    message = webhook_service_pb2.Webhook(
        name=row.name,
        url=row.url,
        filter=filter_to_proto(query),
        state=webhook_service_pb2.WebhookState.Value(f"WEBHOOK_STATE_{row.state}"),
        delivered_sequence=row.delivered_sequence,
        failures=row.failures,
        last_error=row.last_error,
    )
    message.create_time.FromDatetime(row.create_time)
    if row.failures:
        message.next_attempt_time.FromDatetime(row.next_attempt_time)
    return message


def _draft(request: webhook_service_pb2.CreateWebhookRequest) -> WebhookDraft:
    webhook = request.webhook
    return WebhookDraft(
        url=webhook.url,
        query=query_from_proto(parse_parent(request.parent), webhook.filter, field="webhook.filter"),
        id=request.webhook_id,
        secret=webhook.secret,
        after=request.after_sequence if request.HasField("after_sequence") else None,
    )
