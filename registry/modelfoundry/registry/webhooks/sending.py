"""Sends events to webhooks, as long as the registry runs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC
from functools import partial
from importlib.metadata import version
from typing import Final

import structlog
from google.protobuf.json_format import MessageToDict

from modelfoundry.names import singular_of
from modelfoundry.registry.events.history import event_of
from modelfoundry.registry.records.event_tables import EventRow
from modelfoundry.registry.webhooks.deliveries import Deliveries, Delivery
from modelfoundry.registry.webhooks.destination import Destination, Unreachable, find_address, post
from modelfoundry.registry.webhooks.signing import signature
from modelfoundry.wire.lineage import event_to_proto

POLL_SECONDS: Final = 0.5
GONE: Final = 410

_log = structlog.get_logger(__name__)


class Sender:
    """Makes deliveries. Every webhook has a thread while there is something to send: a slow one keeps no other waiting.

    Args:
        deliveries: What has to be delivered.
        allow_private: Whether webhooks may be on private networks and on this machine.
    """

    def __init__(self, deliveries: Deliveries, *, allow_private: bool) -> None:
        self._deliveries = deliveries
        self._allow_private = allow_private
        self._stopping = threading.Event()

    async def run(self) -> None:
        """Delivers whatever is due; until cancelled."""
        busy: dict[str, asyncio.Future[None]] = {}
        try:
            while True:
                busy = {name: sending for name, sending in busy.items() if not sending.done()}
                for name in await self._due():
                    if name not in busy:
                        busy[name] = _in_thread(partial(self._send_all, name))
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._stopping.set()

    async def _due(self) -> list[str]:
        try:
            return list(await asyncio.to_thread(self._deliveries.due))
        except Exception:  # noqa: BLE001 - the database may be away for a while
            _log.exception("looking for events to deliver failed")
            return []

    def _send_all(self, name: str) -> None:
        """Delivers a webhook's events one after the other, up to the first that fails."""
        try:
            while not self._stopping.is_set():
                delivery = self._deliveries.take(name)
                if delivery is None or not self._send(delivery):
                    return
        except Exception:  # noqa: BLE001 - the database may be away for a while
            _log.exception("delivering failed", webhook=name)

    def _send(self, delivery: Delivery) -> bool:
        body = event_body(delivery.event)
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"modelfoundry/{version('modelfoundry')}",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(delivery.secret, delivery.id, timestamp, body),
        }
        try:
            destination = Destination.of(delivery.url, field="url")
            address = find_address(destination, allow_private=self._allow_private)
            status = post(destination, address, headers, body)
        except Unreachable as error:
            return self._failed(delivery, str(error))
        if not 200 <= status < 300:
            return self._failed(delivery, f"the receiver answered {status}", is_gone=status == GONE)
        self._deliveries.succeeded(delivery)
        return True

    def _failed(self, delivery: Delivery, why: str, *, is_gone: bool = False) -> bool:
        _log.warning("not delivered", webhook=delivery.webhook, event_sequence=delivery.event.sequence, why=why)
        self._deliveries.failed(delivery, why, is_gone=is_gone)
        return False


def event_body(event: EventRow) -> bytes:
    """What is sent of an event: JSON with `type`, `timestamp` and `data`."""
    data = MessageToDict(event_to_proto(event_of(event)), preserving_proto_field_name=True)
    content = {
        "type": f"{singular_of(event.collection)}.{event.kind}",
        "timestamp": event.event_time.astimezone(UTC).isoformat(),
        "data": data,
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def _in_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Runs work in a thread that keeps no process alive: a receiver that never answers must not hinder the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        try:
            work()
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.cancel)

    threading.Thread(target=run, name="webhook", daemon=True).start()
    return done
