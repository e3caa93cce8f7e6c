"""Speaks gRPC for the reuser."""

from __future__ import annotations

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.registry.v1 import known_resources_pb2
from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_reference
from modelfoundry.reuser.predicting.images import decoded
from modelfoundry.reuser.predicting.predictor import Predictor, most_probable
from modelfoundry.reuser.submissions import Submissions
from modelfoundry.wire.known import known_from_proto
from modelfoundry.wire.predictions import prediction_to_proto
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.followed import FollowedSubjects
from modelfoundry.workbench.resources import AsyncResources, Known, Subject
from modelfoundry.workbench.subject_names import subject_collection


class ReuserServicer(pb_grpc.ReuserServiceServicer):
    """Answers predictions itself; exports, compactions and compositions are jobs (`submissions.py`)."""

    def __init__(
        self, client: AsyncClient, submissions: Submissions, predictor: Predictor, followed: FollowedSubjects
    ) -> None:
        self._client = client
        self._submissions = submissions
        self._predictor = predictor
        self._followed = followed

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
        if request.top_k < 0:
            raise InvalidField(f"top_k: {request.top_k} is negative", field="top_k", hint="pass 0 for all labels")
        subject = await self._subject(request.subject)
        network = await self._predictor.network(subject)
        with self._predictor.room(len(request.images), network, field="images"):
            images = await decoded(request.images, network.input_spec)
            found = await self._predictor.probabilities(network, images.pixels)
        answers = most_probable(network.outputs, found, request.top_k)
        return pb.PredictResponse(
            subject=subject.name,
            subject_digest=network.digest,
            predictions=[
                prediction_to_proto(labels, notes) for labels, notes in zip(answers, images.notes, strict=True)
            ],
        )

    async def _subject(self, name: str) -> Subject:
        collection = subject_collection(name, field="subject")
        parsed = parse_reference(name, collection, field="subject")

        async def read() -> Subject:
            resources = AsyncResources(self._client)
            return await resources.subject(await OwnNames(resources).of(name, field="subject"), field="subject")

        return await self._followed.get(f"projects/{parsed.project}", name, read)

    def _resources(self, known: known_resources_pb2.KnownResources) -> AsyncResources:
        return AsyncResources(self._client, Known(known_from_proto(known)))
