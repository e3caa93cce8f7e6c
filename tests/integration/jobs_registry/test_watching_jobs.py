"""Watch streams over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from modelfoundry.api.operations.v1 import operation_events_service_pb2


async def watched(stream: Any) -> list[int]:
    return [event.sequence async for event in stream if not event.HasField("keep_alive")]


async def test_two_hundred_watchers_of_one_job_all_get_all_events(registry: Any) -> None:
    name = (await registry.enqueue()).name
    watchers = [asyncio.create_task(watched(registry.watch(name))) for _ in range(100)]
    leased = await registry.lease()
    for number in range(10):
        await registry.log(leased, f"line {number}", "and another one")
    watchers += [asyncio.create_task(watched(registry.watch(name))) for _ in range(100)]
    for number in range(10):
        await registry.log(leased, f"line {number}")
    await registry.complete(leased)
    seen = await asyncio.wait_for(asyncio.gather(*watchers), 60)
    assert seen == [list(range(1, 34))] * 200


async def test_a_stream_that_is_opened_again_after_any_event_misses_and_repeats_nothing(registry: Any) -> None:
    name = (await registry.enqueue()).name
    leased = await registry.lease()
    early = [asyncio.create_task(watched(registry.watch(name, after))) for after in range(3)]
    await registry.log(leased, *(f"line {number}" for number in range(20)))
    await registry.complete(leased)
    for after, watcher in enumerate(early):
        assert await asyncio.wait_for(watcher, 30) == list(range(after + 1, 24))
    for after in range(24):
        assert await asyncio.wait_for(watched(registry.watch(name, after)), 30) == list(range(after + 1, 24))


async def test_a_watcher_that_cuts_its_stream_after_every_event_still_sees_each_once(registry: Any) -> None:
    name = (await registry.enqueue()).name

    async def cut_and_resume() -> list[int]:
        seen: list[int] = []
        done = False
        while not done:
            stream = registry.watch(name, seen[-1] if seen else 0)
            event = await stream.read()
            stream.cancel()
            seen.append(event.sequence)
            done = event.HasField("state_change") and event.state_change.state >= 4
        return seen

    watcher = asyncio.create_task(cut_and_resume())
    leased = await registry.lease()
    for number in range(10):
        await registry.log(leased, f"line {number}")
    await registry.complete(leased)
    assert await asyncio.wait_for(watcher, 30) == list(range(1, 14))


async def test_a_silent_stream_gives_signs_of_life_with_the_number_of_the_newest_event(start_registry: Any) -> None:
    async with start_registry(keep_alive_seconds=0.05) as registry:
        name = (await registry.enqueue()).name
        stream = registry.watch(name)
        events = [await stream.read() for _ in range(3)]
        stream.cancel()
    assert [event.HasField("keep_alive") for event in events] == [False, True, True]
    assert [event.sequence for event in events] == [1, 1, 1]


async def test_a_watcher_hears_what_was_done_through_another_registry(start_registry: Any) -> None:
    async with start_registry(keep_alive_seconds=120) as here, start_registry() as there:
        name = (await here.enqueue()).name
        watcher = asyncio.create_task(watched(here.watch(name)))
        leased = await there.lease()
        await there.log(leased, "one", "two")
        await there.complete(leased)
        assert await asyncio.wait_for(watcher, 30) == [1, 2, 3, 4, 5]


async def test_streams_end_with_unavailable_at_shutdown(start_registry: Any) -> None:
    async with start_registry() as registry:
        name = (await registry.enqueue()).name
        stream = registry.watch(name)
        assert (await stream.read()).sequence == 1
        await registry.server.drain()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stream.read()
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_stream_of_a_job_that_was_done_before_ends_by_itself(registry: Any) -> None:
    name = (await registry.enqueue()).name
    await registry.complete(await registry.lease())
    assert await watched(registry.watch(name)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "after", "code"),
    [
        ("projects/default/operations/decompose-1", 0, grpc.StatusCode.NOT_FOUND),
        ("decompose-1", 0, grpc.StatusCode.INVALID_ARGUMENT),
        ("", 0, grpc.StatusCode.INVALID_ARGUMENT),
        (None, 2, grpc.StatusCode.INVALID_ARGUMENT),
        (None, -1, grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=["unknown job", "no name", "empty name", "number of no event", "negative number"],
)
async def test_a_stream_that_cannot_be_opened_says_why(
    registry: Any, name: str | None, after: int, code: grpc.StatusCode
) -> None:
    known = (await registry.enqueue()).name
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await watched(registry.watch(known if name is None else name, after))
    assert error.value.code() is code


async def test_events_are_listed_in_pages(registry: Any) -> None:
    name = (await registry.enqueue()).name
    leased = await registry.lease()
    await registry.log(leased, *("line" for _ in range(60)))
    seen: list[int] = []
    more = True
    while more:
        response = await registry.events.ListOperationEvents(
            operation_events_service_pb2.ListOperationEventsRequest(
                name=name, after_sequence=seen[-1] if seen else 0, page_size=25
            )
        )
        seen += [event.sequence for event in response.events]
        more = response.more
    assert seen == list(range(1, 63))
