"""Runs what blocks on the database outside of the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

THREADS: Final = 8
P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A few threads of a service's own: workers' reports must not wait behind the transfer of large blobs."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what the function returns in a thread, in the context of the caller (for its log lines)."""
        call = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self._executor.shutdown()
