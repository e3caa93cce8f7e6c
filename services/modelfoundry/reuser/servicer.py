"""Speaks gRPC for the reuser."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.registry.v1 import known_resources_pb2
from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_name
from modelfoundry.reuser.predicting.images import images_from_proto
from modelfoundry.reuser.predicting.predictor import Predictor, classify
from modelfoundry.reuser.submissions import Submissions
from modelfoundry.wire.known import known_from_proto
from modelfoundry.wire.predictions import prediction_to_proto
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.resources import AsyncResources, Known, Subject
from modelfoundry.workbench.subject_names import subject_collection


class ReuserServicer(pb_grpc.ReuserServiceServicer):
    """Answers predictions itself; exports, compactions and compositions are jobs (`submissions.py`)."""

    def __init__(
        self, client: AsyncClient, submissions: Submissions, predictor: Predictor, turns: asyncio.Semaphore
    ) -> None:
        self._client = client
        self._submissions = submissions
        self._predictor = predictor
        self._turns = turns

    async def Export(
        self, request: pb.ExportRequest, context: grpc.aio.ServicerContext[pb.ExportRequest, operations_pb2.Operation]
    ) -> operations_pb2.Operation:
        """See the contract."""
        return await self._submissions.export(request, self._resources(request.known))

    async def ComposeModel(
        self,
        request: composing_pb2.ComposeModelRequest,
        context: grpc.aio.ServicerContext[composing_pb2.ComposeModelRequest, operations_pb2.Operation],
    ) -> operations_pb2.Operation:
        """See the contract."""
        # Candidates are the modules of the request's project.
        async with AsyncClient(self._client.endpoints, parent=request.parent) as client:
            return await self._submissions.compose(request, AsyncResources(client))

    async def Compact(
        self, request: pb.CompactRequest, context: grpc.aio.ServicerContext[pb.CompactRequest, operations_pb2.Operation]
    ) -> operations_pb2.Operation:
        """See the contract."""
        return await self._submissions.compact(request, self._resources(request.known))

    async def Predict(
        self, request: pb.PredictRequest, context: grpc.aio.ServicerContext[pb.PredictRequest, pb.PredictResponse]
    ) -> pb.PredictResponse:
        """See the contract."""
        resources = AsyncResources(self._client)
        name = await OwnNames(resources).of(request.subject, field="subject")
        parse_name(name, subject_collection(name, field="subject"), field="subject")
        if request.top_k < 0:
            raise InvalidField(f"top_k: {request.top_k} is negative", field="top_k", hint="pass 0 for all labels")
        subject = await resources.subject(name, field="subject")
        async with self._turns:
            return await asyncio.to_thread(self._predict, request, subject)

    def _resources(self, known: known_resources_pb2.KnownResources) -> AsyncResources:
        return AsyncResources(self._client, Known(known_from_proto(known)))

    def _predict(self, request: pb.PredictRequest, subject: Subject) -> pb.PredictResponse:
        loaded = self._predictor.loaded(subject)
        images = images_from_proto(request.images, loaded.classifier.input_spec)
        return pb.PredictResponse(
            subject=subject.name,
            subject_digest=loaded.digest,
            predictions=[prediction_to_proto(labels) for labels in classify(loaded.classifier, images, request.top_k)],
        )
