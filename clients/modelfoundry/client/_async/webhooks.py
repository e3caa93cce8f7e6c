"""Webhooks: HTTP servers that the registry tells of its changes."""

from __future__ import annotations

from collections.abc import Sequence

from modelfoundry.api.registry.v1 import webhook_service_pb2
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import chosen
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.kinds import Kind
from modelfoundry.values.lineage import EventKind, Webhook
from modelfoundry.values.references import full_name
from modelfoundry.wire.lineage import event_filter_to_proto, webhook_from_proto


class AsyncWebhooks:
    """Webhooks of the project. Reached as `client.webhooks`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    async def create(
        self,
        url: str,
        *,
        kinds: Sequence[EventKind | str] = (),
        collections: Sequence[str] = (),
        secret: str = "",
        webhook_id: str = "",
        after: int | None = None,
    ) -> Webhook:
        """Has events sent to a URL, signed as Standard Webhooks says.

        Args:
            url: http or https.
            kinds: Which kinds of events: `created`, `updated`, `evaluated`, `aliased`, `deleted`. Empty: all.
            collections: Of which resources: `models`, `modules`, ... Empty: of all.
            secret: `whsec_` and the base64 of 24 to 64 bytes. Empty: one is made.
            webhook_id: Last segment of the name. Empty: the server makes one.
            after: Events after this number. None: those from now on.

        Returns:
            The webhook with its secret, which is never shown again.
        """
        members = [chosen(kind, EventKind, "kinds") for kind in kinds]
        request = webhook_service_pb2.CreateWebhookRequest(
            parent=self._parent,
            webhook_id=webhook_id,
            webhook=webhook_service_pb2.Webhook(
                url=url, secret=secret, filter=event_filter_to_proto(members, collections)
            ),
            after_sequence=after,
        )
        method = self._stubs.webhooks.CreateWebhook
        return webhook_from_proto(await self._transport.unary(Service.REGISTRY, method, request))

    async def get(self, webhook: str) -> Webhook:
        """Returns a webhook by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        request = webhook_service_pb2.GetWebhookRequest(name=self._full_name(webhook))
        method = self._stubs.webhooks.GetWebhook
        return webhook_from_proto(await self._transport.unary(Service.REGISTRY, method, request))

    async def list(self) -> tuple[Webhook, ...]:
        """All webhooks, oldest first."""
        request = webhook_service_pb2.ListWebhooksRequest(parent=self._parent)
        response = await self._transport.unary(Service.REGISTRY, self._stubs.webhooks.ListWebhooks, request)
        return tuple(map(webhook_from_proto, response.webhooks))

    async def delete(self, webhook: str) -> None:
        """Forgets a webhook by id or name."""
        request = webhook_service_pb2.DeleteWebhookRequest(name=self._full_name(webhook))
        await self._transport.unary(Service.REGISTRY, self._stubs.webhooks.DeleteWebhook, request)

    def _full_name(self, webhook: str) -> str:
        return full_name(webhook, Kind.WEBHOOK, self._parent)
