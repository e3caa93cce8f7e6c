"""Runs every job in a process of its own, started afresh."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import Final

from modelfoundry.runtime.jobs.executor import Exit
from modelfoundry.runtime.jobs.ticket import Ticket
from modelfoundry.runtime.logging import LogFormat, LogLevel

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MALLOC_VARIABLE: Final = "GLIBC_TUNABLES"
KEEPING: Final = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=8589934592"
"""glibc keeps blocks up to 1 GiB that were freed, up to 8 GiB of them, for the next step of a search. Left alone it
gives large ones back at once, and the kernel fills every page of the next with zeros: on wide layers a good part of a
step. All of it ends with the worker. Other C libraries do not read it."""
WORKER_MODULE: Final = "modelfoundry.runtime.jobs"


def threads_per_slot(slots: int) -> int:
    """The cores that this process may use, shared out among `slots` workers; at least one each."""
    return max(1, usable_cores() // slots)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def worker_environment(threads: int) -> dict[str, str]:
    """Environment variables of workers that compute with that many threads.

    An operator's own way for the C library's memory is left as it is.
    """
    return {MALLOC_VARIABLE: KEEPING, **os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def exit_with(code: int) -> Exit:
    """How a process came to its end, by its exit code; that is negative for a signal."""
    if code < 0:
        return Exit(f"killed by signal {-code}")
    return Exit(f"ended with exit code {code}" if code else "")


def signal_group(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that leads a session, and to its children; to none where they are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


class ProcessExecutor:
    """Starts a Python process a job. It dies with this process, and takes its own children with it.

    Args:
        threads: Threads that a worker computes with, so that workers do not fight for cores.
        log_level: Least severity that workers log, to the standard error of this process.
        log_format: How they log.
    """

    def __init__(self, threads: int, *, log_level: LogLevel = "info", log_format: LogFormat = "console") -> None:
        self._environment = worker_environment(threads)
        self._arguments = ("-m", WORKER_MODULE, "--log-level", log_level, "--log-format", log_format)

    async def ready(self) -> None:
        """Returns at once: a process can be started at any time."""

    async def close(self) -> None:
        """Does nothing: what runs ends by its handle."""

    async def submit(self, ticket: Ticket) -> ProcessHandle:
        """Starts a process for one job."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # signals for us are not for it, and it can be killed with all its children
        )
        handle = ProcessHandle(process)
        await handle.send(ticket)
        return handle


class ProcessHandle:
    """A job in a process. The pipe to its standard input stays open: closing it ends the process.

    Args:
        process: The process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    async def send(self, ticket: Ticket) -> None:
        """Gives the process its job."""
        pipe = self._process.stdin
        if pipe is None:
            raise RuntimeError("the process was started without a pipe")
        # A process that is dead already tells so by its exit.
        with contextlib.suppress(ConnectionError):
            pipe.write(ticket.to_json() + b"\n")
            await pipe.drain()

    async def wait(self) -> Exit:
        """Returns when the process is gone, its children with it."""
        code = await self._process.wait()
        signal_group(self.pid, signal.SIGKILL)
        return exit_with(code)

    def terminate(self) -> None:
        """Sends SIGTERM to the process and its children."""
        if self._process.returncode is None:
            signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL to the process and its children."""
        if self._process.returncode is None:
            signal_group(self.pid, signal.SIGKILL)
