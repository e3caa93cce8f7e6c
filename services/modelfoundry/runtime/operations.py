"""Serves jobs on a service that starts them, by asking the registry, which keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, Never, TypeVar

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import empty_pb2

from modelfoundry.api.operations.v1 import operation_events_service_pb2 as events_pb2
from modelfoundry.api.operations.v1 import operation_events_service_pb2_grpc as events_pb2_grpc
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.errors import DeadlineExceeded, Unavailable
from modelfoundry.runtime.interceptors.access import REQUEST_ID_KEY, current_request_id
from modelfoundry.runtime.server import Service
from modelfoundry.wire.statuses import DETAILS_KEY

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_SECONDS: Final = 30.0


def operation_services(channel: grpc.aio.Channel) -> tuple[Service, Service]:
    """`google.longrunning.Operations` and `OperationEventsService`, answered by the registry.

    Args:
        channel: To the registry.
    """
    operations = OperationsProxy(channel)
    events = OperationEventsProxy(channel)
    return (
        Service(
            operations_pb2.DESCRIPTOR.services_by_name["Operations"].full_name,
            lambda server: operations_pb2_grpc.add_OperationsServicer_to_server(operations, server),  # type: ignore[no-untyped-call]
        ),
        Service(
            events_pb2.DESCRIPTOR.services_by_name["OperationEventsService"].full_name,
            lambda server: events_pb2_grpc.add_OperationEventsServiceServicer_to_server(events, server),
        ),
    )


class OperationsProxy(operations_pb2_grpc.OperationsServicer):
    """`google.longrunning.Operations` of the registry."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._registry = operations_pb2_grpc.OperationsStub(channel)  # type: ignore[no-untyped-call]

    async def ListOperations(  # noqa: N802 - gRPC's name
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        """Lists jobs."""
        return await _forward(self._registry.ListOperations, request, context)

    async def GetOperation(  # noqa: N802 - gRPC's name
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Returns a job."""
        return await _forward(self._registry.GetOperation, request, context)

    async def DeleteOperation(  # noqa: N802 - gRPC's name
        self, request: operations_pb2.DeleteOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forgets a job that is done."""
        return await _forward(self._registry.DeleteOperation, request, context)

    async def CancelOperation(  # noqa: N802 - gRPC's name
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Asks a job to stop."""
        return await _forward(self._registry.CancelOperation, request, context)

    async def WaitOperation(  # noqa: N802 - gRPC's name
        self, request: operations_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Returns a job when it is done or the time is over."""
        return await _forward(self._registry.WaitOperation, request, context)


class OperationEventsProxy(events_pb2_grpc.OperationEventsServiceServicer):
    """`OperationEventsService` of the registry."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._registry = events_pb2_grpc.OperationEventsServiceStub(channel)

    async def WatchOperation(  # noqa: N802 - gRPC's name
        self, request: events_pb2.WatchOperationRequest, context: Context
    ) -> AsyncIterator[operation_pb2.OperationEvent]:
        """Streams the events of a job; the registry's stream ends with the caller's."""
        call = self._registry.WatchOperation(request, timeout=context.time_remaining(), metadata=_metadata())
        try:
            async for event in call:
                yield event
        except grpc.aio.AioRpcError as error:
            await _pass_on(error, context)
        finally:
            call.cancel()  # an abandoned call of grpc.aio would live on

    async def ListOperationEvents(  # noqa: N802 - gRPC's name
        self, request: events_pb2.ListOperationEventsRequest, context: Context
    ) -> events_pb2.ListOperationEventsResponse:
        """Lists past events of a job."""
        return await _forward(self._registry.ListOperationEvents, request, context)


async def _forward(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, context: Context
) -> Response:
    """Calls the registry as the caller called us: same deadline, same request id, same failure."""
    remaining = context.time_remaining()
    call = method(request, timeout=DEFAULT_SECONDS if remaining is None else remaining, metadata=_metadata())
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        await _pass_on(error, context)
    finally:
        call.cancel()


async def _pass_on(error: grpc.aio.AioRpcError, context: Context) -> Never:
    """Ends our call as the registry ended its own; a registry that said nothing is named as what is missing."""
    details = [value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY]
    if details:
        trailers = ((REQUEST_ID_KEY, current_request_id()), (DETAILS_KEY, details[0]))
        await context.abort(error.code(), error.details() or "", trailers)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        raise Unavailable(
            "the registry, which keeps the jobs, cannot be reached",
            hint="start the registry, or wait until it is back; running jobs go on",
        ) from error
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise DeadlineExceeded("the registry did not answer in time", hint="ask again with more time") from error
    await context.abort(error.code(), error.details() or "")


def _metadata() -> tuple[tuple[str, str], ...]:
    request_id = current_request_id()
    return ((REQUEST_ID_KEY, request_id),) if request_id else ()
