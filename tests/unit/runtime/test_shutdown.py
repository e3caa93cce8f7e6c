from __future__ import annotations

import asyncio

import pytest

from modelfoundry.errors import Unavailable
from modelfoundry.runtime.shutdown import ShutdownSignal


async def test_the_signal_interrupts_what_waits() -> None:
    shutdown = ShutdownSignal()
    inside = asyncio.Event()

    async def wait() -> str:
        try:
            async with shutdown.ends():
                inside.set()
                await asyncio.Event().wait()
        except Unavailable:
            await asyncio.sleep(0)  # the task goes on as if it had never been cancelled
            return "ended"
        return "came through"

    task = asyncio.create_task(wait())
    await inside.wait()
    shutdown.give()
    assert await task == "ended"
    assert shutdown.given


async def test_what_is_over_is_not_interrupted() -> None:
    shutdown = ShutdownSignal()
    async with shutdown.ends():
        pass
    shutdown.give()
    await asyncio.sleep(0)


async def test_nothing_begins_after_the_signal() -> None:
    shutdown = ShutdownSignal()
    shutdown.give()
    with pytest.raises(Unavailable):
        async with shutdown.ends():
            pytest.fail("must not run")


async def test_a_task_that_is_cancelled_by_others_too_stays_cancelled() -> None:
    shutdown = ShutdownSignal()
    inside = asyncio.Event()

    async def wait() -> None:
        async with shutdown.ends():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await inside.wait()
    task.cancel()
    shutdown.give()
    with pytest.raises(asyncio.CancelledError):
        await task
