"""Runs every job in a process of its own, forked from one that has imported what jobs need. Linux only."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final

from modelfoundry.runtime.jobs.executor import Exit
from modelfoundry.runtime.jobs.process import exit_with, signal_group, worker_environment
from modelfoundry.runtime.jobs.ticket import Ticket
from modelfoundry.runtime.logging import LogFormat, LogLevel

FORK_SERVER_MODULE: Final = "modelfoundry.runtime.jobs.fork_server"
READY: Final = b"\n"
"""What the fork server says once, when everything is imported."""
REQUEST: Final = b"f"
"""Asks it for a worker; with it comes the socket that becomes the worker's standard input. The fork server writes the
number of the process to it, and when the process is gone its exit code, negative for a signal: a line each."""
CLOSING_SECONDS: Final = 1.0


class ForkingExecutor:
    """Forks a process a job, in milliseconds, from a process that this one starts and that dies with it.

    Args:
        threads: Threads that a worker computes with, so that workers do not fight for cores.
        preload: Modules that jobs need. Importing them must start no thread and not touch CUDA.
        log_level: Least severity that workers log, to the standard error of this process.
        log_format: How they log.
    """

    def __init__(
        self,
        threads: int,
        preload: Sequence[str] = (),
        *,
        log_level: LogLevel = "info",
        log_format: LogFormat = "console",
    ) -> None:
        self._environment = worker_environment(threads)
        modules = (argument for module in preload for argument in ("--preload", module))
        self._arguments = ("-m", FORK_SERVER_MODULE, *modules, "--log-level", log_level, "--log-format", log_format)
        self._starting = asyncio.Lock()
        self._server: _ForkServer | None = None

    async def ready(self) -> None:
        """Returns when everything is imported, which takes seconds after the start.

        Raises:
            OSError: the fork server cannot be started, or ends at once.
        """
        async with self._starting:
            if self._server is not None and self._server.is_gone:
                await self.close()
            if self._server is None:
                self._server = await _started(self._arguments, self._environment)

    async def submit(self, ticket: Ticket) -> ForkedHandle:
        """Forks a process for one job.

        Raises:
            OSError: the fork server is gone; `ready` starts another.
        """
        if self._server is None:
            raise ChildProcessError("there is no fork server")
        reader, writer, pid = await self._server.fork()
        writer.write(ticket.to_json() + b"\n")
        # A process that is dead already tells so by its exit.
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return ForkedHandle(pid, reader, writer)

    async def close(self) -> None:
        """Ends the fork server, and the workers that still run with it."""
        server, self._server = self._server, None
        if server is not None:
            await server.close()


class ForkedHandle:
    """A job in a forked process. The socket at its standard input stays open: closing it ends the process.

    Args:
        pid: Number of the process.
        reader: Where the fork server tells its end.
        writer: The other direction, closed at the end.
    """

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self._ending = asyncio.ensure_future(self._end(reader, writer))

    async def wait(self) -> Exit:
        """Returns when the process is gone, its children with it."""
        return await asyncio.shield(self._ending)

    def terminate(self) -> None:
        """Sends SIGTERM to the process and its children."""
        if not self._ending.done():
            signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL to the process and its children."""
        if not self._ending.done():
            signal_group(self.pid, signal.SIGKILL)

    async def _end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exit:
        code = await _number(reader)
        signal_group(self.pid, signal.SIGKILL)
        writer.close()
        return Exit("killed with the process that it was forked from") if code is None else exit_with(code)


class _ForkServer:
    """The running fork server.

    Args:
        process: Its process.
        requests: Where it is asked for workers.
    """

    def __init__(self, process: asyncio.subprocess.Process, requests: socket.socket) -> None:
        self._process = process
        self._requests = requests

    @property
    def is_gone(self) -> bool:
        """Whether it has ended: alive, it says nothing after that it is ready."""
        try:
            return not self._requests.recv(1)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    async def ready(self) -> None:
        """Returns when it has imported everything."""
        if await asyncio.get_running_loop().sock_recv(self._requests, len(READY)) != READY:
            raise ChildProcessError("the fork server ended before it was ready")

    async def fork(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
        """A new process: the socket at its standard input, and its number."""
        own, its = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=own)
        try:
            with its:
                socket.send_fds(self._requests, [REQUEST], [its.fileno()])
            return reader, writer, await _pid(reader)
        except BaseException:
            writer.close()
            raise

    async def close(self) -> None:
        """Ends it."""
        self._requests.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), CLOSING_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


async def _started(arguments: Sequence[str], environment: dict[str, str]) -> _ForkServer:
    own, its = socket.socketpair()
    own.setblocking(False)
    with its:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=its.fileno(),
            env=environment,
            start_new_session=True,  # signals for us are not for it
        )
    server = _ForkServer(process, own)
    try:
        await server.ready()
    except BaseException:
        await server.close()
        raise
    return server


async def _pid(reader: asyncio.StreamReader) -> int:
    pid = await _number(reader)
    if pid is None:
        raise ChildProcessError("the fork server ended before it forked a worker")
    return pid


async def _number(reader: asyncio.StreamReader) -> int | None:
    """What the fork server tells next; None when it is gone."""
    with contextlib.suppress(ConnectionError):
        if line := await reader.readline():
            return int(line)
    return None
