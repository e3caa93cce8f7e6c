"""Runs what blocks on the database outside of the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Request = TypeVar("Request")


class Threads:
    """A few threads of a service's own: workers' reports must not wait behind the transfer of large blobs."""

    def __init__(self, name: str, count: int = 8) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what the function returns in a thread, in the context of the caller (for its log lines)."""
        call = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def submit(self, function: Callable[[], object]) -> None:
        """Has a function called in a thread and waits for nothing."""
        self._executor.submit(function)

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self._executor.shutdown()


class HasThreads(Protocol):
    """A servicer with threads of its own."""

    threads: Threads


Self = TypeVar("Self", bound=HasThreads)


def in_thread(method: Callable[[Self, Request], T]) -> Callable[[Self, Request, object], Awaitable[T]]:
    """Makes a method of a gRPC service of one that blocks: the servicer's threads run it."""

    @wraps(method)
    async def call(self: Self, request: Request, context: object) -> T:  # noqa: ARG001 - the contract's arguments
        return await self.threads.run(method, self, request)

    return call
