"""Serves `google.longrunning.Operations`: thin, the work is done by `Archive`."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import empty_pb2

from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_name, parse_parent
from modelfoundry.registry.bells import Bells
from modelfoundry.registry.jobs import messages
from modelfoundry.registry.jobs.archive import Archive
from modelfoundry.registry.jobs.patience import patience
from modelfoundry.registry.threads import Threads
from modelfoundry.runtime.shutdown import ShutdownSignal
from modelfoundry.values.kinds import Kind

Context = grpc.aio.ServicerContext[Any, Any]


class OperationsServicer(operations_pb2_grpc.OperationsServicer):
    """The people's door to the queue."""

    def __init__(self, archive: Archive, bells: Bells, threads: Threads, shutdown: ShutdownSignal) -> None:
        self._archive = archive
        self._bells = bells
        self._threads = threads
        self._shutdown = shutdown

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Returns a job."""
        name = parse_name(request.name, Kind.OPERATION, field="name")
        return messages.operation_to_proto(await self._threads.run(self._archive.get, name))

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        """Lists the jobs of a project, newest first."""
        project = parse_parent(request.name.removesuffix("/operations"), field="name")
        page = await self._threads.run(
            self._archive.list, project, request.page_size, request.page_token, request.filter
        )
        return operations_pb2.ListOperationsResponse(
            operations=[messages.operation_to_proto(operation) for operation in page.operations],
            next_page_token=page.next_page_token,
        )

    async def DeleteOperation(
        self, request: operations_pb2.DeleteOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forgets a job that is done."""
        name = parse_name(request.name, Kind.OPERATION, field="name")
        await self._threads.run(self._archive.delete, name)
        self._bells.ring(str(name))
        return empty_pb2.Empty()

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Asks for a job to be cancelled."""
        name = parse_name(request.name, Kind.OPERATION, field="name")
        await self._threads.run(self._archive.cancel, name)
        self._bells.ring(str(name))
        return empty_pb2.Empty()

    async def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Returns a job when it is done, or as it is when the time is up."""
        name = parse_name(request.name, Kind.OPERATION, field="name")
        clock = asyncio.get_running_loop().time
        end = clock() + patience(_timeout(request), context)
        with self._bells.listening([str(name)]) as bell:
            while True:
                bell.silence()
                operation = await self._threads.run(self._archive.get, name)
                async with self._shutdown.ends():
                    if operation.done or clock() >= end or not await bell.wait(end - clock()):
                        return messages.operation_to_proto(operation)


def _timeout(request: operations_pb2.WaitOperationRequest) -> float:
    if not request.HasField("timeout"):
        return math.inf
    seconds = request.timeout.seconds + request.timeout.nanos / 1e9
    if seconds < 0:
        raise InvalidField(f"timeout is {seconds:g} seconds", field="timeout", hint="pass 0 or more, or nothing")
    return float(seconds)
