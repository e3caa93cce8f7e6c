"""The middle of gRPC connections to the registry: notes every call, of any process, and what it asks for."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.longrunning import operations_pb2  # noqa: F401 - so that its methods are known

from modelfoundry.api.registry.v1 import registry_service_pb2

READS = {
    method.name: method.input_type._concrete_class
    for method in registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"].methods
    if method.name in ("GetModel", "GetModule", "GetDataset", "GetComposition", "GetEvaluation")
}
# Services ask these whenever it is time, whatever callers do: no test can say how often.
BY_THE_CLOCK = ("/grpc.health.", "/modelfoundry.api.operations.v1.JobQueueService/")


class CountedCalls:
    """Passes calls on to a registry and notes them, but for those that services make by the clock.

    Args:
        target: Where the registry listens.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._noted: Counter[tuple[str, str]] = Counter()
        self.address = ""

    def forget(self) -> None:
        """Begins anew."""
        self._noted.clear()

    @property
    def reads(self) -> dict[tuple[str, str], int]:
        """How often each resource was read by name: (method, name) to a number."""
        return {(method, name): number for (method, name), number in self._noted.items() if method in READS}

    def of(self, method: str) -> int:
        """Number of calls of a method, whatever they asked for."""
        return sum(number for (each, _), number in self._noted.items() if each == method)

    @property
    def methods(self) -> dict[str, int]:
        """Number of calls of every method."""
        return {method: self.of(method) for method, _ in self._noted}

    async def serve(self, started: threading.Event, end: asyncio.Event) -> None:
        """Listens until `end`."""
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(
            self._target, options=[*options, ("grpc.enable_http_proxy", 0)]
        ) as channel:
            server = grpc.aio.server(options=options)
            server.add_generic_rpc_handlers((_Handler(channel, self._note),))
            self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            await server.start()
            started.set()
            await end.wait()
            await server.stop(None)
            await _cancelled(asyncio.all_tasks() - {asyncio.current_task()})

    def _note(self, path: str, first: bytes) -> None:
        if path.startswith(BY_THE_CLOCK):
            return
        method = path.rpartition("/")[2]
        name = READS[method].FromString(first).name if method in READS else ""
        self._noted[method, name] += 1


class _Handler(grpc.GenericRpcHandler):
    """Any method as a stream of bytes in both directions, which is what every method is on the wire."""

    def __init__(self, channel: grpc.aio.Channel, note: Any) -> None:
        self._channel = channel
        self._note = note

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        path = handler_call_details.method

        async def passed(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            call = self._channel.stream_stream(path)(
                self._noted(path, requests),
                metadata=_own(context.invocation_metadata()),
                timeout=context.time_remaining(),
            )
            try:
                await context.send_initial_metadata(_own(await call.initial_metadata()))
                async for answer in call:
                    yield answer
                context.set_trailing_metadata(_own(await call.trailing_metadata()))
            except grpc.aio.AioRpcError as error:
                context.set_trailing_metadata(_own(error.trailing_metadata()))
                await context.abort(error.code(), error.details() or "")
            finally:
                call.cancel()

        return grpc.stream_stream_rpc_method_handler(passed)

    async def _noted(self, path: str, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        first = True
        async for request in requests:
            if first:
                self._note(path, request)
            first = False
            yield request


async def _cancelled(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _own(metadata: Any) -> tuple[tuple[str, Any], ...]:
    """What is not the transport's: that of the next leg is its own."""
    transport = ("user-agent", "grpc-", "content-type", "te")
    return tuple(
        (key, value)
        for key, value in metadata or ()
        if not key.startswith(transport) or key == "grpc-status-details-bin"
    )


@contextmanager
def counted_calls(target: str) -> Iterator[CountedCalls]:
    """Listens on a free port for as long as the block runs."""
    counted, started = CountedCalls(target), threading.Event()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(counted.serve(started, end)), daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield counted
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(30)
        loop.close()
