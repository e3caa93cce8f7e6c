"""Speaks gRPC for the decomposer."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc as pb_grpc
from modelfoundry.artifacts.queue import JobQueue
from modelfoundry.artifacts.requests import check_request_id
from modelfoundry.client import AsyncClient
from modelfoundry.core.seam import RECIPES
from modelfoundry.decomposer.codec import decomposition_from_proto, recipe_to_proto, settings_to_proto
from modelfoundry.decomposer.plan import plan_decomposition

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
        wanted = decomposition_from_proto(request)
        model, dataset = await asyncio.gather(
            self._client.models.get(wanted.model), self._client.datasets.get(wanted.dataset)
        )
        plan = await asyncio.to_thread(plan_decomposition, wanted, model, dataset)
        if request.validate_only:
            return operations_pb2.Operation()
        # The queued request is complete: a later version with other defaults repeats it as it was asked for.
        request.seam.recipe.CopyFrom(settings_to_proto(wanted.settings))
        request.model = model.name  # where an alias was given: it may move before a worker takes the job
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
        return pb.ListRecipesResponse(recipes=[recipe_to_proto(recipe) for recipe in RECIPES.values()])
