"""Speaks gRPC for the training service."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import training_service_pb2 as pb
from modelfoundry.api.decomposer.v1 import training_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient
from modelfoundry.core.training import RECIPES
from modelfoundry.decomposer.training import plan_training
from modelfoundry.decomposer.training_requests import (
    recipe_description_to_proto,
    settings_to_proto,
    training_from_proto,
)
from modelfoundry.names import check_request_id
from modelfoundry.workbench.queue import JobQueue

TRAIN_KIND = "train"


class TrainingServicer(pb_grpc.TrainingServiceServicer):
    """Checks requests and queues them; workers do the rest (`jobs.py`)."""

    def __init__(self, client: AsyncClient, queue: JobQueue) -> None:
        self._client = client
        self._queue = queue

    async def TrainModel(
        self,
        request: pb.TrainModelRequest,
        context: grpc.aio.ServicerContext[pb.TrainModelRequest, operations_pb2.Operation],
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        wanted = training_from_proto(request)
        dataset = await self._client.datasets.get(wanted.dataset)
        await asyncio.to_thread(plan_training, wanted, dataset)
        if request.validate_only:
            return operations_pb2.Operation()
        # The queued request is complete: a later version with other defaults repeats it as it was asked for.
        recipe = wanted.recipe
        request.recipe.CopyFrom(settings_to_proto(recipe.name, recipe.settings, recipe.subset))
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=TRAIN_KIND,
            target=request.dataset,
            request_id=request.request_id,
        )

    async def ListTrainingRecipes(
        self,
        request: pb.ListTrainingRecipesRequest,
        context: grpc.aio.ServicerContext[pb.ListTrainingRecipesRequest, pb.ListTrainingRecipesResponse],
    ) -> pb.ListTrainingRecipesResponse:
        """See the contract."""
        return pb.ListTrainingRecipesResponse(
            recipes=[recipe_description_to_proto(recipe) for recipe in RECIPES.values()]
        )
