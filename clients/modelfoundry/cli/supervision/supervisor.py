"""Starts all services, keeps them running, and stops them in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

from modelfoundry.cli.supervision.child import Child, ServicePlan
from modelfoundry.errors import Unavailable

START_SECONDS: Final = 120.0
GRACE_SECONDS: Final = 15.0
"""Longer than the services themselves wait for calls in flight, see `local_services`."""


async def supervise(plans: Sequence[ServicePlan], *, ready: Callable[[], None], remark: Callable[[str], None]) -> None:
    """Runs the services until SIGTERM or SIGINT, then stops them: the first of `plans`, which others need, at last.

    Args:
        plans: The services; the registry first.
        ready: Called once, when all answer.
        remark: Takes a line for people whenever something happens.

    Raises:
        Unavailable: a service does not start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    children = [Child(plan, remark) for plan in plans]
    keepers = [asyncio.create_task(child.keep_running()) for child in children]
    stopped = asyncio.create_task(stop.wait())
    try:
        if await _started(children, keepers, stopped):
            ready()
            await _first_done([*keepers, stopped])
    finally:
        remark("stopping")
        registry, *workers = children
        await asyncio.gather(*(child.stop(GRACE_SECONDS) for child in workers))
        await registry.stop(GRACE_SECONDS)
        for task in [*keepers, stopped]:
            task.cancel()
        await asyncio.gather(*keepers, stopped, return_exceptions=True)


async def _started(
    children: Sequence[Child], keepers: Sequence[asyncio.Task[None]], stopped: asyncio.Task[bool]
) -> bool:
    """True when all services answer, False when stopping was asked for before."""
    healthy = asyncio.create_task(_all_healthy(children))
    try:
        async with asyncio.timeout(START_SECONDS):
            await _first_done([healthy, *keepers, stopped])
    except TimeoutError:
        late = [child for child in children if not child.healthy.is_set()]
        raise Unavailable(
            f"no answer within {START_SECONDS:.0f} s from: {', '.join(child.plan.name for child in late)}",
            hint=f"read {late[0].plan.log}",
        ) from None
    finally:
        healthy.cancel()
    return not stopped.done()


async def _all_healthy(children: Sequence[Child]) -> None:
    for child in children:
        await child.healthy.wait()


async def _first_done(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Waits for the first of the tasks, and raises what it raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        await task
