"""Serves `JobQueueService`: thin, the work is done by `Intake` and `Leases`."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import job_queue_service_pb2_grpc
from modelfoundry.errors import InvalidField
from modelfoundry.names import ResourceName, parse_name
from modelfoundry.registry.bells import Bells
from modelfoundry.registry.jobs import messages, requests
from modelfoundry.registry.jobs.intake import Intake
from modelfoundry.registry.jobs.leases import Leases
from modelfoundry.registry.jobs.operation import Operation, queue_topic
from modelfoundry.registry.jobs.patience import patience
from modelfoundry.registry.threads import Threads
from modelfoundry.runtime.shutdown import ShutdownSignal
from modelfoundry.values.kinds import Kind
from modelfoundry.values.results import JobState

Context = grpc.aio.ServicerContext[Any, Any]


class JobQueueServicer(job_queue_service_pb2_grpc.JobQueueServiceServicer):
    """The workers' door to the queue."""

    def __init__(
        self, intake: Intake, leases: Leases, bells: Bells, threads: Threads, shutdown: ShutdownSignal
    ) -> None:
        self._intake = intake
        self._leases = leases
        self._bells = bells
        self._threads = threads
        self._shutdown = shutdown

    async def EnqueueOperation(
        self, request: queue_pb2.EnqueueOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Queues a job."""
        operation = await self._threads.run(self._intake.enqueue, requests.new_job_from_proto(request))
        self._ring(operation)
        return messages.operation_to_proto(operation)

    async def LeaseOperation(
        self, request: queue_pb2.LeaseOperationRequest, context: Context
    ) -> queue_pb2.LeaseOperationResponse:
        """Gives a job to a worker, and waits for one as long as asked."""
        kinds = {requests.check_kind(kind, f"kinds[{index}]") for index, kind in enumerate(request.kinds)}
        if not kinds:
            raise InvalidField("kinds is empty", field="kinds", hint="name at least one kind of work")
        owner = requests.check_text(request.owner, "owner")
        lease_seconds = requests.seconds_from_proto(
            request.lease_duration, "lease_duration", least=1, most=300, default=15
        )
        wait_seconds = requests.seconds_from_proto(request.wait, "wait", least=0, most=30, default=0)
        clock = asyncio.get_running_loop().time
        end = clock() + patience(wait_seconds, context)
        with self._bells.listening(queue_topic(kind) for kind in kinds) as bell:
            while True:
                bell.silence()
                lease = await self._threads.run(self._leases.take, kinds, owner, lease_seconds)
                if lease is not None:
                    self._bells.ring(str(lease.name))
                    return queue_pb2.LeaseOperationResponse(leased=messages.lease_to_proto(lease))
                async with self._shutdown.ends():
                    if clock() >= end or not await bell.wait(end - clock()):
                        return queue_pb2.LeaseOperationResponse()

    async def ReportProgress(
        self, request: queue_pb2.ReportProgressRequest, context: Context
    ) -> queue_pb2.ReportProgressResponse:
        """Prolongs a lease."""
        progress = requests.progress_from_proto(request.progress) if request.HasField("progress") else None
        operation = await self._threads.run(
            self._leases.report,
            _name(request.name),
            request.lease_token,
            progress,
            requests.log_from_proto(request.log),
        )
        self._ring(operation)
        return queue_pb2.ReportProgressResponse(cancel_requested=operation.state == JobState.CANCELLING)

    async def SaveCheckpoint(
        self, request: queue_pb2.SaveCheckpointRequest, context: Context
    ) -> queue_pb2.SaveCheckpointResponse:
        """Notes a checkpoint."""
        checkpoint = requests.checkpoint_from_proto(request.checkpoint)
        await self._threads.run(self._leases.save_checkpoint, _name(request.name), request.lease_token, checkpoint)
        return queue_pb2.SaveCheckpointResponse()

    async def CompleteOperation(
        self, request: queue_pb2.CompleteOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Ends a job with its result."""
        response = requests.response_from_proto(request.response)
        operation = await self._threads.run(self._leases.complete, _name(request.name), request.lease_token, response)
        self._ring(operation)
        return messages.operation_to_proto(operation)

    async def FailOperation(
        self, request: queue_pb2.FailOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Ends a job with an error."""
        operation = await self._threads.run(
            self._leases.fail,
            _name(request.name),
            request.lease_token,
            request.error.SerializeToString(),
            cancelled=requests.is_cancelled(request.error),
        )
        self._ring(operation)
        return messages.operation_to_proto(operation)

    async def ReleaseOperation(
        self, request: queue_pb2.ReleaseOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Gives a job back."""
        operation = await self._threads.run(
            self._leases.release, _name(request.name), request.lease_token, request.cause
        )
        self._ring(operation)
        return messages.operation_to_proto(operation)

    def _ring(self, operation: Operation) -> None:
        self._bells.ring(str(operation.name))
        if operation.state == JobState.QUEUED:
            self._bells.ring(queue_topic(operation.kind))


def _name(text: str) -> ResourceName:
    return parse_name(text, Kind.OPERATION, field="name")
