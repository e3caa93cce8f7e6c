"""Speaks gRPC for repeating decompositions."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import rebuild_service_pb2 as pb
from modelfoundry.api.decomposer.v1 import rebuild_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient
from modelfoundry.decomposer.rebuild_plan import plan_rebuild
from modelfoundry.names import check_request_id, parse_name
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources

REBUILD_KIND = "rebuild"


class RebuildServicer(pb_grpc.RebuildServiceServicer):
    """Checks requests and queues them; workers do the rest (`jobs.py`)."""

    def __init__(self, client: AsyncClient, queue: JobQueue) -> None:
        self._client = client
        self._queue = queue

    async def Rebuild(
        self,
        request: pb.RebuildRequest,
        context: grpc.aio.ServicerContext[pb.RebuildRequest, operations_pb2.Operation],
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        resources = AsyncResources(self._client)
        request.module = await OwnNames(resources).of(request.module, field="module")
        name = parse_name(request.module, Kind.MODULE, field="module")
        module = await resources.module(request.module)
        model, dataset = await asyncio.gather(resources.model(module.base_model), resources.dataset(module.dataset))
        await asyncio.to_thread(plan_rebuild, module, model, dataset)
        # Without a cache key: no job of before may answer for what is to be tried now.
        return await self._queue.enqueue(
            request, parent=name.parent, kind=REBUILD_KIND, target=request.module, request_id=request.request_id
        )
