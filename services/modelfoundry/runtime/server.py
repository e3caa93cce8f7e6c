"""Builds, runs and drains a gRPC server: the same behaviour for every service.

A `__main__` says which services there are and calls `serve`; a test enters `running` and gets the same server.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from modelfoundry.errors import InvalidField, ModelFoundryError, Unavailable
from modelfoundry.runtime.health import Readiness, Ready
from modelfoundry.runtime.interceptors import build_interceptors
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.shutdown import ShutdownSignal

Background = Callable[[], Awaitable[None]]
"""Work beside the calls, such as a job dispatcher. Runs until cancelled; its failure stops the server."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service and its implementation."""

    name: str
    """Full name: `package.Service`."""
    register: Callable[[grpc.aio.Server], None]
    """Adds the servicer to a server."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens."""

    port: int
    shutdown: ShutdownSignal
    drain: Callable[[], Awaitable[None]]
    """Stops it: health to NOT_SERVING, no new calls, calls in flight to their end within the grace time."""
    background: asyncio.Task[None]
    """The work beside the calls. Done only when some of it failed."""


def build_server(services: Sequence[Service], options: ServerOptions, shutdown: ShutdownSignal) -> grpc.aio.Server:
    """A server with all interceptors, `services` and reflection; health is added by `running`."""
    server = grpc.aio.server(
        interceptors=build_interceptors(options, shutdown),
        options=options.channel_arguments,
        maximum_concurrent_rpcs=options.max_concurrent_rpcs,
    )
    for service in services:
        service.register(server)
    names = (*(service.name for service in services), health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server


@contextlib.asynccontextmanager
async def running(
    services: Sequence[Service],
    *,
    listen: str = "127.0.0.1:0",
    ready: Ready | None = None,
    background: Sequence[Background] = (),
    options: ServerOptions | None = None,
    shutdown: ShutdownSignal | None = None,
) -> AsyncIterator[RunningServer]:
    """Runs a server in this event loop as long as the context is open.

    Args:
        services: What it serves, besides health and reflection.
        listen: `host:port`; port 0 takes a free one.
        ready: Returns when the service can work, raises when not; asked every few seconds, the answer is its health.
        background: Started after listening, cancelled while draining.
        options: Limits and times.
        shutdown: Given when draining begins; pass one to share it with servicers.

    Raises:
        Unavailable: it cannot listen there; the port is taken, for example.
        InvalidField: `listen` is no address.
    """
    options = options or ServerOptions()
    shutdown = shutdown or ShutdownSignal()
    server = build_server(services, options, shutdown)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)  # type: ignore[no-untyped-call,unused-ignore]
    port = _listen(server, listen)
    readiness = Readiness(servicer, [service.name for service in services], ready, options.readiness_seconds)
    await readiness.set_not_serving()
    await server.start()
    await readiness.check()
    task = asyncio.create_task(_together((readiness.follow, *background)))
    drained = asyncio.Event()

    async def drain() -> None:
        if not drained.is_set():
            drained.set()
            await _drain(server, servicer, task, options, shutdown)

    _log.info("listening", address=listen, port=port)
    try:
        yield RunningServer(port=port, shutdown=shutdown, drain=drain, background=task)
    finally:
        await drain()


async def serve(
    services: Sequence[Service],
    *,
    listen: str,
    ready: Ready | None = None,
    background: Sequence[Background] = (),
    on_listening: Callable[[int], None] | None = None,
    port_file: Path | None = None,
    options: ServerOptions | None = None,
    shutdown: ShutdownSignal | None = None,
) -> None:
    """Runs a server until SIGTERM or SIGINT, then drains it. A second signal ends it at once.

    Args:
        services: See `running`, as for the others not named here.
        listen: `host:port`; port 0 takes a free one.
        ready: The readiness check.
        background: Work beside the calls.
        on_listening: Called with the port once calls are taken.
        port_file: Gets the port, in decimal, once calls are taken; removed at the end.
        options: Limits and times.
        shutdown: Given when draining begins.

    Raises:
        Unavailable: it cannot listen there.
        Exception: background work failed; the server was drained first.
    """
    stop = asyncio.Event()
    with _signals(stop):
        async with running(
            services, listen=listen, ready=ready, background=background, options=options, shutdown=shutdown
        ) as server:
            with _announced(server.port, on_listening, port_file):
                stopped = asyncio.create_task(stop.wait())
                await asyncio.wait({stopped, server.background}, return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                _log.info("stopping")
                await server.drain()
        _log.info("stopped")
        if not server.background.cancelled():
            server.background.result()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a service's main coroutine; an error that we know ends the process with its message and exit code 1."""
    try:
        asyncio.run(main)
    except asyncio.CancelledError:
        sys.exit("error: stopped by a second signal, before the calls in flight were over")
    except ModelFoundryError as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))


def _listen(server: grpc.aio.Server, listen: str) -> int:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidField(
            f"listen: {listen!r} is not host:port", field="listen", hint="pass for example 127.0.0.1:50051"
        )
    try:
        return server.add_insecure_port(listen)
    except RuntimeError as error:
        raise Unavailable(
            f"cannot listen on {listen}: the port is taken or the address is not of this machine",
            field="listen",
            hint="stop the other program, or listen on another port; port 0 takes a free one",
        ) from error


async def _together(works: Sequence[Background]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(_forever(work))


async def _forever(work: Background) -> None:
    await work()
    raise RuntimeError(f"background work {work!r} came to an end")


async def _drain(
    server: grpc.aio.Server,
    servicer: health.aio.HealthServicer,
    background: asyncio.Task[None],
    options: ServerOptions,
    shutdown: ShutdownSignal,
) -> None:
    background.cancel()
    await servicer.enter_graceful_shutdown()
    await asyncio.sleep(options.lame_duck_seconds)
    shutdown.give()
    await asyncio.gather(server.stop(options.grace_seconds), asyncio.wait({background}))
    if not background.cancelled() and (failure := background.exception()):
        _log.error("background work failed", exc_info=failure)


@contextlib.contextmanager
def _announced(port: int, on_listening: Callable[[int], None] | None, port_file: Path | None) -> Iterator[None]:
    if port_file:
        port_file.parent.mkdir(parents=True, exist_ok=True)
        partial = port_file.with_name(f"{port_file.name}.part")
        partial.write_text(f"{port}\n", encoding="ascii")
        partial.replace(port_file)
    if on_listening:
        on_listening(port)
    try:
        yield
    finally:
        if port_file:
            port_file.unlink(missing_ok=True)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def received() -> None:
        if stop.is_set() and main:
            main.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
