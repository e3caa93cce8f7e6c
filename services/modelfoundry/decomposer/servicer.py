"""Speaks gRPC for the decomposer."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient, Dataset, Model
from modelfoundry.decomposer.algorithms import ALGORITHMS
from modelfoundry.decomposer.listing import recipes_to_proto
from modelfoundry.decomposer.plan import plan_decomposition
from modelfoundry.decomposer.requests import decomposition_from_proto, write_settings
from modelfoundry.names import check_request_id
from modelfoundry.wire.known import known_from_proto, known_to_proto
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources, Known

DECOMPOSE_KIND = "decompose"


class DecomposerServicer(pb_grpc.DecomposerServiceServicer):
    """Checks requests and queues them; workers do the rest (`jobs.py`)."""

    def __init__(self, client: AsyncClient, queue: JobQueue) -> None:
        self._client = client
        self._queue = queue

    async def Decompose(
        self,
        request: pb.DecomposeRequest,
        context: grpc.aio.ServicerContext[pb.DecomposeRequest, operations_pb2.Operation],
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        resources = AsyncResources(self._client, Known(known_from_proto(request.known)))
        request.model = await OwnNames(resources).of(request.model, field="model")
        wanted = decomposition_from_proto(request)
        write_settings(request, wanted)
        model, dataset = await _inputs(request, resources)
        plan = await asyncio.to_thread(plan_decomposition, wanted, model, dataset)
        if request.validate_only:
            return operations_pb2.Operation()
        request.known.CopyFrom(known_to_proto(model, dataset))
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=DECOMPOSE_KIND,
            target=request.model,
            cache_key=plan.cache_key,
            force=request.force,
            request_id=request.request_id,
        )

    async def ListRecipes(
        self,
        request: pb.ListRecipesRequest,
        context: grpc.aio.ServicerContext[pb.ListRecipesRequest, pb.ListRecipesResponse],
    ) -> pb.ListRecipesResponse:
        """See the contract."""
        return recipes_to_proto(ALGORITHMS)


async def _inputs(request: pb.DecomposeRequest, resources: AsyncResources) -> tuple[Model, Dataset]:
    model, dataset = await asyncio.gather(resources.model(request.model), resources.dataset(request.dataset))
    return model, dataset
