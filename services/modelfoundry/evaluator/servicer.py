"""Speaks gRPC for the evaluator."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2 as pb
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient, Client
from modelfoundry.evaluator.check import check_model, try_weights
from modelfoundry.evaluator.plan import plan_evaluation
from modelfoundry.evaluator.request import evaluation_from_proto
from modelfoundry.names import check_digest, check_request_id
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.wire.architectures import (
    ARCHITECTURE,
    input_spec_from_proto,
    model_check_to_proto,
    tensor_spec_from_proto,
)
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources

EVALUATE_KIND = "evaluate"


class EvaluatorServicer(pb_grpc.EvaluatorServiceServicer):
    """Checks requests and queues them; workers do the rest (`jobs.py`)."""

    def __init__(self, client: AsyncClient, queue: JobQueue, cache: BlobCache) -> None:
        self._client = client
        self._queue = queue
        self._cache = cache

    async def Evaluate(
        self,
        request: pb.EvaluateRequest,
        context: grpc.aio.ServicerContext[pb.EvaluateRequest, operations_pb2.Operation],
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        resources = AsyncResources(self._client)
        request.subjects[:] = await OwnNames(resources).of_all(request.subjects, field="subjects")
        await plan_evaluation(evaluation_from_proto(request), resources)
        if request.validate_only:
            return operations_pb2.Operation()
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=EVALUATE_KIND,
            target=request.subjects[0],
            request_id=request.request_id,
        )

    async def CheckModel(
        self,
        request: pb.CheckModelRequest,
        context: grpc.aio.ServicerContext[pb.CheckModelRequest, pb.CheckModelResponse],
    ) -> pb.CheckModelResponse:
        """See the contract."""
        architecture = ARCHITECTURE.from_request(request.architecture, field="architecture")
        input_spec = input_spec_from_proto(request.input)
        tensors = tuple(map(tensor_spec_from_proto, request.tensors))
        found = await asyncio.to_thread(check_model, architecture, input_spec, request.label_count, tensors)
        if request.weights.digest:
            digest = request.weights.digest
            check_digest(digest, field="weights.digest")
            await asyncio.to_thread(self._try, architecture, input_spec, request.label_count, digest)
        return model_check_to_proto(found)

    def _try(self, architecture: Architecture, input_spec: InputSpec, label_count: int, digest: str) -> None:
        with Client(self._client.endpoints) as client:
            weights = self._cache.fetch(client, digest)
        try_weights(architecture, input_spec, label_count, weights)
