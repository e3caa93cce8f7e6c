"""Requests for one network, computed together without anybody having to notice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from modelfoundry.reuser.predicting.batching import Batcher, Batching, Turns
from modelfoundry.reuser.predicting.runners import Runner

QUICK = Batching(images=8, seconds=1.0, wait_seconds=0.002)


class Sums:
    """A network whose logit of an image is the sum of its pixels, and that notes its batches.

    While `gate` is closed it computes nothing.
    """

    def __init__(self, seconds: float = 0.001) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.runner = Runner(self._run, "torch", 0, seconds)

    def _run(self, images: Tensor) -> Tensor:
        assert self.gate.wait(30)
        self.batches.append(len(images))
        if bool(images.isnan().any()):
            raise ValueError("not a number")
        return images.flatten(1).sum(1, keepdim=True)


def ones(count: int, value: float = 1.0) -> Tensor:
    return torch.full((count, 1, 2, 2), value)


def computed(network: Sums, calls: Callable[[Batcher], Awaitable[None]], batching: Batching = QUICK) -> None:
    async def run() -> None:
        turns = Turns(1)
        async with asyncio.timeout(30):
            await calls(Batcher(network.runner, turns, batching))
        turns.close()

    asyncio.run(run())


async def behind_a_closed_gate(network: Sums, batcher: Batcher, *images: Tensor) -> list[asyncio.Task[Tensor]]:
    """Calls that all wait while the first one is computed."""
    network.gate.clear()
    first = asyncio.create_task(batcher.logits(ones(1)))
    await asyncio.sleep(0.02)
    waiting = [asyncio.create_task(batcher.logits(each)) for each in images]
    await asyncio.sleep(0)
    return [first, *waiting]


def test_an_idle_network_answers_one_request_at_once() -> None:
    network = Sums()

    async def calls(batcher: Batcher) -> None:
        assert (await batcher.logits(ones(2))).tolist() == [[4.0], [4.0]]
        assert (await batcher.logits(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8))).tolist() == [[4.0]]

    computed(network, calls, Batching(8, 1.0, 3600.0))  # waiting for others would take an hour
    assert network.batches == [2, 1]


def test_what_comes_while_it_computes_is_one_batch_and_everybody_gets_the_own_answer() -> None:
    network = Sums()

    async def calls(batcher: Batcher) -> None:
        tasks = await behind_a_closed_gate(network, batcher, *(ones(1, value) for value in range(5)))
        network.gate.set()
        assert [task.item() for task in (await asyncio.gather(*tasks))] == [4.0, 0.0, 4.0, 8.0, 12.0, 16.0]

    computed(network, calls)
    assert network.batches == [1, 5]


def test_after_a_joined_batch_the_next_one_waits_for_as_many_but_not_for_ever() -> None:
    network = Sums()

    async def calls(batcher: Batcher) -> None:
        tasks = await behind_a_closed_gate(network, batcher, ones(1), ones(1))
        network.gate.set()
        await asyncio.gather(*tasks)
        later = [asyncio.create_task(batcher.logits(ones(1)))]
        await asyncio.sleep(0.01)
        later.append(asyncio.create_task(batcher.logits(ones(1))))
        await asyncio.gather(*later)
        await batcher.logits(ones(1))  # nobody else comes
        await batcher.logits(ones(1))

    computed(network, calls, Batching(8, 1.0, 0.2))
    assert network.batches == [1, 2, 2, 1, 1]


def test_a_large_request_is_cut_and_small_ones_come_in_between() -> None:
    network = Sums()
    order: list[str] = []

    async def named(name: str, task: Awaitable[Tensor]) -> Tensor:
        found = await task
        order.append(name)
        return found

    async def calls(batcher: Batcher) -> None:
        network.gate.clear()
        large = asyncio.create_task(named("large", batcher.logits(torch.arange(400.0).view(100, 1, 2, 2))))
        await asyncio.sleep(0.02)
        small = asyncio.create_task(named("small", batcher.logits(ones(3))))
        await asyncio.sleep(0)
        network.gate.set()
        await small
        expected = torch.arange(400.0).view(100, 4).sum(1, keepdim=True)
        assert torch.equal(await large, expected)

    computed(network, calls)
    assert order == ["small", "large"]
    assert max(network.batches) == 8
    assert sum(network.batches) == 103


def test_pieces_that_are_computed_at_the_same_time_come_in_order() -> None:
    network = Sums()
    images = torch.arange(400.0).view(100, 1, 2, 2)
    threads: set[int] = set()

    def slowly_at_first(batch: Tensor) -> Tensor:
        threads.add(threading.get_ident())
        if float(batch[0, 0, 0, 0]) == 0:
            time.sleep(0.05)  # the second piece is done before
        return batch.flatten(1).sum(1, keepdim=True)

    async def run() -> Tensor:
        turns = Turns(2)
        found = await Batcher(replace(network.runner, run=slowly_at_first), turns, QUICK).logits(images)
        turns.close()
        return found

    assert torch.equal(asyncio.run(run()), images.flatten(1).sum(1, keepdim=True))
    assert len(threads) == 2


def test_a_batch_takes_no_longer_than_it_may() -> None:
    network = Sums(seconds=0.5)

    async def calls(batcher: Batcher) -> None:
        await batcher.logits(ones(5))

    computed(network, calls, Batching(64, 1.0, 0.0))
    assert network.batches == [2, 2, 1]


def test_images_that_the_network_fails_on_fail_alone() -> None:
    network = Sums()

    async def calls(batcher: Batcher) -> None:
        tasks = await behind_a_closed_gate(network, batcher, ones(1), ones(1, float("nan")), ones(2))
        network.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[2], ValueError)
        assert [answer.tolist() for answer in found if isinstance(answer, Tensor)] == [[[4.0]], [[4.0]], [[4.0]] * 2]
        assert (await batcher.logits(ones(1))).tolist() == [[4.0]]

    computed(network, calls)


def test_who_waits_no_longer_is_not_computed_for() -> None:
    network = Sums()

    async def calls(batcher: Batcher) -> None:
        first, gone, other = await behind_a_closed_gate(network, batcher, ones(6), ones(2))
        gone.cancel()
        await asyncio.sleep(0)
        network.gate.set()
        assert len(await other) == 2
        await first
        with pytest.raises(asyncio.CancelledError):
            await gone

    computed(network, calls)
    assert network.batches == [1, 2]


def test_nobody_is_passed_over_for_ever() -> None:
    network = Sums()

    async def calls(batcher: Batcher) -> None:
        tasks = await behind_a_closed_gate(network, batcher, *(ones(8) for _ in range(20)), ones(20))
        network.gate.set()
        assert [len(found) for found in await asyncio.gather(*tasks)] == [1, *[8] * 20, 20]

    computed(network, calls)
    assert sum(network.batches) == 181
