"""Gives interceptors one view of all four kinds of calls."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Proceed = Callable[[Any, Context], Awaitable[Any]]
"""Goes on with a call. Takes the request, or the iterator of requests of a streaming call; returns the response, or
None after a stream of responses was written."""


@dataclass(frozen=True, slots=True)
class Method:
    """The method that is called."""

    path: str
    """`/package.Service/Method`."""
    request_streaming: bool
    response_streaming: bool

    @property
    def service(self) -> str:
        """`package.Service`."""
        return self.path.split("/")[1]

    @property
    def name(self) -> str:
        """`Method`."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_unary(self) -> bool:
        """True when one request is answered by one response."""
        return not (self.request_streaming or self.response_streaming)


class CallInterceptor(grpc.aio.ServerInterceptor, abc.ABC):
    """An interceptor whose `handle` surrounds the whole call, the writing of streamed responses included."""

    @abc.abstractmethod
    async def handle(self, method: Method, request: Any, context: Context, proceed: Proceed) -> Any:
        """Does its part and goes on with `proceed(request, context)`."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wraps the method's handler; called by gRPC once a call."""
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED
            return None
        method = Method(handler_call_details.method, handler.request_streaming, handler.response_streaming)
        proceed = _uniform(handler)

        async def surrounded(request: Any, context: Context) -> Any:
            return await self.handle(method, request, context, proceed)

        return _with_behaviour(handler, surrounded)


def _uniform(handler: grpc.RpcMethodHandler[Any, Any]) -> Proceed:
    """The handler as a coroutine function, also where it is an asynchronous generator."""
    behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

    async def proceed(request: Any, context: Context) -> Any:
        result = behaviour(request, context)
        if not hasattr(result, "__aiter__"):
            return await result
        async with contextlib.aclosing(result) as responses:
            async for response in responses:
                await context.write(response)
        return None

    return proceed


def _with_behaviour(handler: grpc.RpcMethodHandler[Any, Any], behaviour: Any) -> grpc.RpcMethodHandler[Any, Any]:
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    wrapped: grpc.RpcMethodHandler[Any, Any] = make(
        behaviour, handler.request_deserializer, handler.response_serializer
    )
    return wrapped
