"""Webhooks against real HTTP servers that fail, hang and redirect, over restarts of the registry."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest

from modelfoundry.api.registry.v1 import (
    alias_service_pb2,
    alias_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.registry.webhooks import destination

PARENT = "projects/default"
HANGING = 50.0


class Receiver:
    """An HTTP server that remembers what it gets; `answer` says with which status, by the number of the request."""

    def __init__(self, answer: Callable[[int], int]) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._news = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver._news:
                    receiver.requests.append(({key.lower(): value for key, value in self.headers.items()}, body))
                    receiver._news.notify_all()
                self.send_response(answer(len(receiver.requests)))
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    async def got(self, number: int) -> None:
        """Returns when there were so many requests."""

        def wait() -> bool:
            with self._news:
                return self._news.wait_for(lambda: len(self.requests) >= number, 60)

        assert await asyncio.to_thread(wait), self.requests

    def events(self) -> list[tuple[str, str]]:
        bodies = [json.loads(body) for _, body in self.requests]
        return [(body["type"], body["data"]["resource"].rpartition("/")[2]) for body in bodies]


@contextmanager
def receiving(answer: Callable[[int], int]) -> Iterator[Receiver]:
    receiver = Receiver(answer)
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.05,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
def open_settings(settings: RegistrySettings) -> RegistrySettings:
    return settings.model_copy(update={"webhook_private_addresses": True})


def stub(client: Any) -> Any:
    return webhook_service_pb2_grpc.WebhookServiceStub(client.channel)


async def create(client: Any, url: str, **fields: Any) -> webhook_service_pb2.Webhook:
    webhook = webhook_service_pb2.Webhook(url=url, **fields)
    request = webhook_service_pb2.CreateWebhookRequest(parent=PARENT, webhook_id="hub", webhook=webhook)
    created = await stub(client).CreateWebhook(request)
    assert isinstance(created, webhook_service_pb2.Webhook)
    return created


async def state(client: Any, name: str, reached: Callable[[Any], bool]) -> Any:
    """The webhook, once it is as wanted."""
    async with asyncio.timeout(60):
        while True:
            webhook = await stub(client).GetWebhook(webhook_service_pb2.GetWebhookRequest(name=name))
            if reached(webhook):
                return webhook
            await asyncio.sleep(0.05)


async def test_what_failed_is_sent_again_and_signed(open_settings: RegistrySettings, serve: Any) -> None:
    with receiving(lambda number: 500 if number == 1 else 204) as receiver:
        async with serve(open_settings) as client:
            webhook = await create(client, receiver.url)
            await client.create_dataset("digits")
            await receiver.got(2)
            done = await state(client, webhook.name, lambda one: one.delivered_sequence == 1)

    assert (done.failures, done.last_error, done.secret) == (0, "", "")
    (first, body), (second, _) = receiver.requests
    assert first["webhook-id"] == second["webhook-id"]
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    for headers, content in receiver.requests:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers["host"] in receiver.url
    event = json.loads(body)
    assert event["type"] == "dataset.created"
    assert (event["data"]["sequence"], event["data"]["kind"]) == ("1", "EVENT_KIND_CREATED")


async def test_a_restart_loses_nothing(open_settings: RegistrySettings, serve: Any) -> None:
    healthy = threading.Event()
    with receiving(lambda _: 200 if healthy.is_set() else 503) as receiver:
        async with serve(open_settings) as client:
            webhook = await create(client, receiver.url)
            await client.create_dataset("first")
            await receiver.got(1)
            failed = await state(client, webhook.name, lambda one: one.failures > 0)
            assert failed.last_error == "the receiver answered 503"
            await client.create_dataset("second")
        healthy.set()
        tried = len(receiver.requests)
        async with serve(open_settings) as client:
            await client.create_dataset("third")
            await state(client, webhook.name, lambda one: one.delivered_sequence == 3)

    assert receiver.events()[tried:] == [
        ("dataset.created", "first"),
        ("dataset.created", "second"),
        ("dataset.created", "third"),
    ]


async def test_a_slow_receiver_holds_up_no_other(
    open_settings: RegistrySettings, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "SECONDS", 2 * HANGING)
    released = threading.Event()

    def hang(_: int) -> int:
        released.wait(HANGING)
        return 200

    with receiving(hang) as slow, receiving(lambda _: 200) as quick:
        async with serve(open_settings) as client:
            request = webhook_service_pb2.CreateWebhookRequest(parent=PARENT)
            hooks = []
            for url in (slow.url, quick.url):
                request.webhook.url = url
                hooks.append(await stub(client).CreateWebhook(request))
            await client.create_dataset("first")
            await slow.got(1)
            await client.create_dataset("second")
            await quick.got(2)
            waiting = await state(client, hooks[0].name, lambda _: True)
            released.set()
    assert (waiting.delivered_sequence, waiting.failures) == (0, 0)


async def test_redirects_are_failures(open_settings: RegistrySettings, serve: Any) -> None:
    with receiving(lambda _: 307) as receiver:
        async with serve(open_settings) as client:
            webhook = await create(client, receiver.url)
            await client.create_dataset("digits")
            failed = await state(client, webhook.name, lambda one: one.failures > 0)

    assert failed.last_error == "the receiver answered 307"
    assert failed.HasField("next_attempt_time")


async def test_only_what_is_asked_for_is_sent(open_settings: RegistrySettings, serve: Any) -> None:
    with receiving(lambda _: 200) as receiver:
        async with serve(open_settings) as client:
            only = event_service_pb2.EventFilter(collections=["models"])
            webhook = await create(client, receiver.url, filter=only)
            await client.create_dataset("digits")
            await client.create_model("net")
            await client.create_dataset("letters")
            await state(client, webhook.name, lambda one: one.delivered_sequence == 3)

    assert receiver.events() == [("model.created", "net")]


async def test_moves_of_an_alias_are_sent_to_receivers_and_watchers(
    open_settings: RegistrySettings, serve: Any
) -> None:
    alias = f"{PARENT}/models/net@live"
    with receiving(lambda _: 200) as receiver:
        async with serve(open_settings) as client:
            await create(client, receiver.url)
            aliases = alias_service_pb2_grpc.AliasServiceStub(client.channel)
            for last in ("old", "new"):
                await client.create_model(last)
                target = f"{PARENT}/models/{last}"
                await aliases.SetAlias(alias_service_pb2.SetAliasRequest(name=alias, target=target))
            await aliases.DeleteAlias(alias_service_pb2.DeleteAliasRequest(name=alias))
            await receiver.got(5)
            events = event_service_pb2_grpc.EventServiceStub(client.channel)
            told = await events.ListEvents(event_service_pb2.ListEventsRequest(parent=PARENT))

    kinds = ("model.created", "model.aliased", "model.created", "model.aliased", "model.unaliased")
    assert receiver.events() == list(zip(kinds, ("old", "old", "new", "new", "new"), strict=True))
    assert json.loads(receiver.requests[3][1])["data"]["alias"] == alias
    assert [event.alias for event in told.events] == ["", alias, "", alias, alias]


async def test_a_receiver_that_is_gone_is_disabled_and_can_be_removed(
    open_settings: RegistrySettings, serve: Any
) -> None:
    with receiving(lambda _: 410) as receiver:
        async with serve(open_settings) as client:
            webhook = await create(client, receiver.url)
            await client.create_dataset("digits")
            await state(client, webhook.name, lambda one: one.state == webhook_service_pb2.WEBHOOK_STATE_DISABLED)
            await stub(client).DeleteWebhook(webhook_service_pb2.DeleteWebhookRequest(name=webhook.name))
            left = await stub(client).ListWebhooks(webhook_service_pb2.ListWebhooksRequest(parent=PARENT))

    assert list(left.webhooks) == []


async def test_this_machine_is_no_receiver_by_default(client: Any, failure_of: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(client, "http://127.0.0.1:9/hook")

    code, info = failure_of(caught.value)
    assert (code, info.metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "webhook.url")
