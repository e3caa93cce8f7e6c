"""Speaks gRPC for the decomposer."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient, Dataset, Model
from modelfoundry.decomposer.algorithms import gradsplitter
from modelfoundry.decomposer.algorithms.seam import RECIPES
from modelfoundry.decomposer.codec import (
    decomposition_from_proto,
    recipe_to_proto,
    settings_to_proto,
    split_from_proto,
    split_recipe_to_proto,
    split_settings_to_proto,
)
from modelfoundry.decomposer.plan import plan_decomposition
from modelfoundry.decomposer.split_plan import plan_split
from modelfoundry.names import check_request_id
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources

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
        resources = AsyncResources(self._client)
        request.model = await OwnNames(resources).of(request.model, field="model")
        # The queued request is complete: a later version with other defaults repeats it as it was asked for.
        if request.WhichOneof("algorithm") == "gradsplitter":
            split = split_from_proto(request)
            request.gradsplitter.recipe.CopyFrom(split_settings_to_proto(split.settings))
            inputs = await _inputs(request, resources)
            cache_key = (await asyncio.to_thread(plan_split, split, *inputs)).cache_key
        else:
            wanted = decomposition_from_proto(request)
            request.seam.recipe.CopyFrom(settings_to_proto(wanted.settings))
            inputs = await _inputs(request, resources)
            cache_key = (await asyncio.to_thread(plan_decomposition, wanted, *inputs)).cache_key
        if request.validate_only:
            return operations_pb2.Operation()
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=DECOMPOSE_KIND,
            target=request.model,
            cache_key=cache_key,
            force=request.force,
            request_id=request.request_id,
        )

    async def ListRecipes(
        self,
        request: pb.ListRecipesRequest,
        context: grpc.aio.ServicerContext[pb.ListRecipesRequest, pb.ListRecipesResponse],
    ) -> pb.ListRecipesResponse:
        """See the contract."""
        return pb.ListRecipesResponse(
            recipes=[recipe_to_proto(recipe) for recipe in RECIPES.values()],
            gradsplitter_recipes=[split_recipe_to_proto(recipe) for recipe in gradsplitter.RECIPES.values()],
        )


async def _inputs(request: pb.DecomposeRequest, resources: AsyncResources) -> tuple[Model, Dataset]:
    model, dataset = await asyncio.gather(resources.model(request.model), resources.dataset(request.dataset))
    return model, dataset
