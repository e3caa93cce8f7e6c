"""Runs jobs in threads of this process: for tests and for handlers that are light."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import structlog

from modelfoundry.errors import LeaseLost
from modelfoundry.runtime.jobs.executor import Exit
from modelfoundry.runtime.jobs.ticket import Ticket
from modelfoundry.runtime.jobs.worker import run_job

_log = structlog.get_logger(__name__)


class InlineExecutor:
    """Starts a thread a job. A thread cannot be killed: one that never calls `check_cancelled` is left behind."""

    async def ready(self) -> None:
        """Returns at once: a thread can be started at any time."""

    async def close(self) -> None:
        """Does nothing: what runs ends by its handle."""

    async def submit(self, ticket: Ticket) -> InlineHandle:
        """Starts a thread for one job."""
        handle = InlineHandle(ticket, asyncio.get_running_loop())
        handle.start()
        return handle


class InlineHandle:
    """A job in a thread.

    Args:
        ticket: The job.
        loop: Where it is waited for.
    """

    def __init__(self, ticket: Ticket, loop: asyncio.AbstractEventLoop) -> None:
        self._ticket = ticket
        self._loop = loop
        self._given_up = threading.Event()
        self._exit: asyncio.Future[Exit] = loop.create_future()

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._run, name=f"job-{self._ticket.name}", daemon=True).start()

    async def wait(self) -> Exit:
        """Returns when the thread is done or left behind."""
        return await asyncio.shield(self._exit)

    def terminate(self) -> None:
        """Makes the next `check_cancelled` of the job raise, and its end untold."""
        self._given_up.set()

    def kill(self) -> None:
        """Leaves the thread behind."""
        self._given_up.set()
        self._settle(Exit("left behind: its thread does not stop"))

    def _run(self) -> None:
        try:
            run_job(self._ticket, given_up=self._given_up, on_lost=self._given_up.set)
            end = Exit("")
        except LeaseLost:
            end = Exit("stopped")
        except BaseException as error:  # noqa: BLE001 - whatever it was, the thread ends here
            _log.exception("worker thread failed", operation=self._ticket.name)
            end = Exit(f"failed with {type(error).__name__}")
        with contextlib.suppress(RuntimeError):  # the loop may be closed when a thread that was left behind ends
            self._loop.call_soon_threadsafe(self._settle, end)

    def _settle(self, end: Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(end)
