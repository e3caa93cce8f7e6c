"""Puts a job into the registry's queue."""

from __future__ import annotations

from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1.job_queue_service_pb2_grpc import JobQueueServiceStub
from modelfoundry.client import Endpoints, Retries, Service, Timeouts
from modelfoundry.client.transport import AsyncTransport


class JobQueue:
    """The registry's job queue as a service that starts jobs sees it."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._transport = AsyncTransport(endpoints, Timeouts(), Retries())

    async def enqueue(
        self,
        request: Message,
        *,
        parent: str,
        kind: str,
        target: str,
        cache_key: str = "",
        force: bool = False,
        request_id: str = "",
    ) -> operations_pb2.Operation:
        """Queues a checked request.

        Args:
            request: What the worker gets.
            parent: `projects/{project}` of the job.
            kind: Which handler runs it.
            target: Main resource that it works on.
            cache_key: Names equal work; the job that did or does it is returned instead.
            force: Queue a new job even so.
            request_id: UUID4 of the caller's.

        Raises:
            RequestIdReused: the id was used for another request.
            Unavailable: the registry cannot be reached.
        """
        packed = Any()
        packed.Pack(request, deterministic=True)  # map fields must not make equal requests differ
        stub = JobQueueServiceStub(self._transport.channel(Service.REGISTRY))
        return await self._transport.unary(
            Service.REGISTRY,
            stub.EnqueueOperation,
            queue_pb2.EnqueueOperationRequest(
                parent=parent,
                kind=kind,
                target=target,
                request=packed,
                cache_key=cache_key,
                force=force,
                request_id=request_id,
            ),
        )

    async def close(self) -> None:
        """Closes the channel."""
        await self._transport.close()
