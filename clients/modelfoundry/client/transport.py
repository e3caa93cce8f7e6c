"""The one place where a call is made: deadline, translation of errors, and never an abandoned call.

Both classes offer the same operations, so that the sub-clients are written once, in `_async`, and generated in `_sync`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Generic, ParamSpec, TypeVar

import grpc
import grpc.aio

from modelfoundry.client.channels import client_options
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts
from modelfoundry.client.statuses import domain_errors
from modelfoundry.client.stubs import AsyncStubs, Stubs

Request = TypeVar("Request")
Response = TypeVar("Response")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class AsyncTransport:
    """Channels to the services, for asyncio. Belongs to the event loop of its first call."""

    def __init__(self, endpoints: Endpoints, timeouts: Timeouts, retries: Retries) -> None:
        self.endpoints = endpoints
        self.timeouts = timeouts
        self.retries = retries
        self.stubs = AsyncStubs(self.channel, self.thread_channel)
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._thread_channels: dict[str, grpc.Channel] = {}
        self._closed = False

    def channel(self, service: Service) -> grpc.aio.Channel:
        """The channel to a service, opened at the first call; services at one address share it."""
        address = self.endpoints.address(service)
        if self._closed:
            raise RuntimeError("the client is closed")
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address, options=client_options(address))
        return self._channels[address]

    def thread_channel(self, service: Service) -> grpc.Channel:
        """A channel to a service that is not bound to the event loop, for `send`."""
        address = self.endpoints.address(service)
        if self._closed:
            raise RuntimeError("the client is closed")
        if address not in self._thread_channels:
            self._thread_channels[address] = grpc.insecure_channel(address, options=client_options(address))
        return self._thread_channels[address]

    async def unary(
        self,
        service: Service,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline that the server is told too
    ) -> Response:
        """Calls a method with one request and one response.

        Raises:
            ModelFoundryError: what the service said, or that it cannot be reached in time.
        """
        seconds = self.timeouts.unary if timeout is None else timeout
        with domain_errors(service, self.endpoints.address(service), seconds):
            call = method(request, timeout=seconds)
            try:
                return await call
            finally:
                call.cancel()

    @asynccontextmanager
    async def receive(
        self,
        service: Service,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float,  # noqa: ASYNC109 - the deadline that the server is told too
    ) -> AsyncIterator[AsyncIterator[Response]]:
        """Opens a stream of responses, which is cancelled when the block is left."""
        with domain_errors(service, self.endpoints.address(service), timeout):
            call = method(request, timeout=timeout)
            try:
                yield aiter(call)
            finally:
                call.cancel()

    async def send(
        self,
        service: Service,
        method: grpc.StreamUnaryMultiCallable[Request, Response],
        requests: Iterator[Request],
        *,
        timeout: float,  # noqa: ASYNC109 - the deadline that the server is told too
    ) -> Response:
        """Sends a stream of requests, made in a thread of gRPC's, and returns the one response.

        The method is that of a channel for threads: `grpc.aio` (1.85) answers INTERNAL in place of the server's status
        when the server ends the call while a request is being sent, and makes a cancellation of an error of `requests`.
        """
        made = _Recorded(requests)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        call = method.future(made, timeout=timeout)
        call.add_done_callback(lambda _: _call_soon(loop, ended.set))
        try:
            await ended.wait()
        finally:
            call.cancel()
        made.raise_error()
        with domain_errors(service, self.endpoints.address(service), timeout):
            if isinstance(call, grpc.RpcError) and call.code() is not grpc.StatusCode.OK:
                raise call
            return call.result()

    def in_caller(self, on_transfer: OnTransfer | None) -> OnTransfer | None:
        """The same callback, which may be called in any thread and runs in the event loop."""
        if on_transfer is None:
            return None
        loop = asyncio.get_running_loop()
        return lambda done, total: _call_soon(loop, on_transfer, done, total)

    async def in_thread(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Runs work on files beside the event loop."""
        return await asyncio.to_thread(function, *args, **kwargs)

    async def pause(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Closes all channels."""
        self._closed = True
        channels, self._channels = list(self._channels.values()), {}
        thread_channels, self._thread_channels = list(self._thread_channels.values()), {}
        for channel in channels:
            await channel.close()
        for thread_channel in thread_channels:
            thread_channel.close()


class Transport:
    """Channels to the services, for threads. May be used by many at once."""

    def __init__(self, endpoints: Endpoints, timeouts: Timeouts, retries: Retries) -> None:
        self.endpoints = endpoints
        self.timeouts = timeouts
        self.retries = retries
        self.stubs = Stubs(self.channel)
        self._channels: dict[str, grpc.Channel] = {}
        self._closed = False
        self._lock = threading.Lock()

    def channel(self, service: Service) -> grpc.Channel:
        """The channel to a service, opened at the first call; services at one address share it."""
        address = self.endpoints.address(service)
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed")
            if address not in self._channels:
                self._channels[address] = grpc.insecure_channel(address, options=client_options(address))
            return self._channels[address]

    def unary(
        self,
        service: Service,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float | None = None,
    ) -> Response:
        """Calls a method with one request and one response.

        Raises:
            ModelFoundryError: what the service said, or that it cannot be reached in time.
        """
        seconds = self.timeouts.unary if timeout is None else timeout
        with domain_errors(service, self.endpoints.address(service), seconds):
            return method(request, timeout=seconds)

    @contextmanager
    def receive(
        self,
        service: Service,
        method: grpc.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        *,
        timeout: float,
    ) -> Iterator[Iterator[Response]]:
        """Opens a stream of responses, which is cancelled when the block is left."""
        with domain_errors(service, self.endpoints.address(service), timeout):
            call = method(request, timeout=timeout)
            try:
                yield iter(call)
            finally:
                call.cancel()

    def send(
        self,
        service: Service,
        method: grpc.StreamUnaryMultiCallable[Request, Response],
        requests: Iterator[Request],
        *,
        timeout: float,
    ) -> Response:
        """Sends a stream of requests, made in a thread of gRPC's, and returns the one response."""
        made = _Recorded(requests)
        with domain_errors(service, self.endpoints.address(service), timeout):
            response = method(made, timeout=timeout)
        made.raise_error()
        return response

    def in_caller(self, on_transfer: OnTransfer | None) -> OnTransfer | None:
        """The callback: it may run in any thread."""
        return on_transfer

    def in_thread(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Runs work on files: here and now, there is no event loop to spare."""
        return function(*args, **kwargs)

    def pause(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)

    def close(self) -> None:
        """Closes all channels."""
        with self._lock:
            self._closed = True
            channels, self._channels = list(self._channels.values()), {}
        for channel in channels:
            channel.close()


class _Recorded(Generic[Request]):
    """Requests whose making may fail: the stream then ends early, and the error is kept for the caller."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests = requests
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except Exception as error:  # raised in the caller's thread
            self._error = error
            raise StopIteration from error

    def raise_error(self) -> None:
        """Raises what went wrong, if anything did."""
        if self._error is not None:
            raise self._error


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(callback, *args)
