"""The stream of changes over a socket: many watchers, filters, keep-alives, and the end of the server."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from modelfoundry.api.registry.v1 import event_service_pb2, event_service_pb2_grpc, model_pb2
from modelfoundry.registry.app import registry
from modelfoundry.registry.events import service
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import running
from modelfoundry.runtime.shutdown import ShutdownSignal

PARENT = "projects/default"
WATCHERS = 20


def stub(client: Any) -> Any:
    return event_service_pb2_grpc.EventServiceStub(client.channel)


def watch(client: Any, after: int = 0, **fields: Any) -> Any:
    return stub(client).WatchEvents(event_service_pb2.WatchEventsRequest(parent=PARENT, after_sequence=after, **fields))


async def first(call: Any, number: int) -> list[Any]:
    """The first real events of a stream."""
    events = []
    async for event in call:
        if event.kind != event_service_pb2.EVENT_KIND_UNSPECIFIED:
            events.append(event)
        if len(events) == number:
            call.cancel()
            break
    return events


async def test_many_watchers_see_the_same_changes_in_the_same_order(client: Any) -> None:
    await client.create_dataset("digits")
    watchers = [asyncio.create_task(first(watch(client), 5)) for _ in range(WATCHERS)]
    await client.create_model("net", training_dataset=f"{PARENT}/datasets/digits")
    await client.registry.UpdateModel(
        model_pb2.UpdateModelRequest(model=model_pb2.Model(name=f"{PARENT}/models/net", description="a net"))
    )
    await client.registry.DeleteModel(model_pb2.DeleteModelRequest(name=f"{PARENT}/models/net"))
    await client.create_dataset("letters")

    seen = await asyncio.wait_for(asyncio.gather(*watchers), 60)

    kinds = [(event.sequence, event_service_pb2.EventKind.Name(event.kind), event.resource) for event in seen[0]]
    assert kinds == [
        (1, "EVENT_KIND_CREATED", f"{PARENT}/datasets/digits"),
        (2, "EVENT_KIND_CREATED", f"{PARENT}/models/net"),
        (3, "EVENT_KIND_UPDATED", f"{PARENT}/models/net"),
        (4, "EVENT_KIND_DELETED", f"{PARENT}/models/net"),
        (5, "EVENT_KIND_CREATED", f"{PARENT}/datasets/letters"),
    ]
    assert all(events == seen[0] for events in seen)


async def test_a_watcher_of_models_hears_of_models(client: Any) -> None:
    only = event_service_pb2.EventFilter(
        collections=["models"], kinds=[event_service_pb2.EVENT_KIND_CREATED, event_service_pb2.EVENT_KIND_DELETED]
    )
    watcher = asyncio.create_task(first(watch(client, filter=only), 2))
    await client.create_dataset("digits")
    await client.create_model("one")
    await client.create_model("two")

    assert [event.resource for event in await asyncio.wait_for(watcher, 60)] == [
        f"{PARENT}/models/one",
        f"{PARENT}/models/two",
    ]


async def test_past_changes_are_listed_page_by_page(client: Any) -> None:
    for last in ("one", "two", "three"):
        await client.create_dataset(last)

    request = event_service_pb2.ListEventsRequest(parent=PARENT, page_size=2)
    page = await stub(client).ListEvents(request)
    assert ([event.sequence for event in page.events], page.through_sequence, page.newest_sequence) == ([1, 2], 2, 3)
    request.after_sequence = page.through_sequence
    assert [event.sequence for event in (await stub(client).ListEvents(request)).events] == [3]


async def test_silence_brings_signs_of_life(
    settings: RegistrySettings, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.EventService.__init__, "__kwdefaults__", {"keep_alive_seconds": 0.05})
    async with serve(settings) as client:
        await client.create_dataset("digits")
        call = watch(client, after=1, filter=event_service_pb2.EventFilter(collections=["models"]))
        alive = await call.read()
        await client.create_dataset("letters")
        while alive.sequence < 2:
            alive = await call.read()
        call.cancel()
    assert alive.kind == event_service_pb2.EVENT_KIND_UNSPECIFIED
    assert alive.sequence == 2


async def refused(client: Any, after: int) -> grpc.aio.AioRpcError:
    """The error of a watch from a cursor, once there is one."""
    async with asyncio.timeout(60):
        while True:
            try:
                await watch(client, after).read()
            except grpc.aio.AioRpcError as error:
                return error


async def test_a_cursor_that_is_too_old_is_told_where_to_begin(
    settings: RegistrySettings, serve: Any, failure_of: Any
) -> None:
    async with serve(settings) as client:
        for last in ("one", "two", "three"):
            await client.create_dataset(last)

    # The first thing that a registry does is to forget what is not kept.
    async with serve(settings.model_copy(update={"event_history_count": 1})) as client:
        code, info = failure_of(await refused(client, after=0))
        assert (code, info.reason, info.metadata["oldest"]) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", "3")
        assert [event.sequence for event in await first(watch(client, after=2), 1)] == [3]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"after_sequence": 9}, "after_sequence", id="future"),
        pytest.param({"parent": "default"}, "parent", id="parent"),
        pytest.param({"filter": {"collections": ["model"]}}, "filter.collections", id="collection"),
        pytest.param({"filter": {"kinds": [77]}}, "filter.kinds", id="kind"),
    ],
)
async def test_what_means_nothing_is_refused(client: Any, failure_of: Any, fields: dict[str, Any], field: str) -> None:
    request = event_service_pb2.WatchEventsRequest(**{"parent": PARENT, **fields})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub(client).WatchEvents(request).read()

    code, info = failure_of(caught.value)
    assert (code, info.metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_the_end_of_the_server_ends_the_stream(settings: RegistrySettings, connect: Any) -> None:
    shutdown = ShutdownSignal()
    options = ServerOptions(lame_duck_seconds=0, grace_seconds=5)
    async with (
        registry(settings, shutdown) as parts,
        running(parts.services, background=parts.background, options=options, shutdown=shutdown) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        client = connect(channel)
        await client.create_dataset("digits")
        call = watch(client)
        assert (await call.read()).sequence == 1
        await server.drain()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
