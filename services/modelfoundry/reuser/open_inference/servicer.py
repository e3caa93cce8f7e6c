"""Speaks the Open Inference Protocol for the reuser."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import grpc

from modelfoundry.api.inference.v2 import open_inference_pb2 as pb
from modelfoundry.api.inference.v2 import open_inference_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient, Module
from modelfoundry.errors import InvalidField, NotFound, Unavailable
from modelfoundry.names import singular_of
from modelfoundry.reuser.open_inference.codec import (
    CLASSIFICATION,
    answer_to_proto,
    images_asked,
    metadata_to_proto,
    pixels_from_proto,
    wanted_from_proto,
)
from modelfoundry.reuser.open_inference.served import find_served, outputs_of
from modelfoundry.reuser.predicting.predictor import Predictor
from modelfoundry.runtime.health import Ready
from modelfoundry.workbench.followed import FollowedSubjects
from modelfoundry.workbench.resources import AsyncResources, digest_of
from modelfoundry.workbench.subject_names import subject_collection


class InferenceServicer(pb_grpc.GRPCInferenceServiceServicer):
    """Serves models, modules and compositions to clients of KServe and Triton.

    Args:
        client: Access to the registry.
        predictor: Classifies.
        followed: What names stand for.
        ready: Raises when the registry cannot be reached.
    """

    def __init__(self, client: AsyncClient, predictor: Predictor, followed: FollowedSubjects, ready: Ready) -> None:
        self._client = client
        self._predictor = predictor
        self._followed = followed
        self._ready = ready

    async def ServerLive(
        self,
        request: pb.ServerLiveRequest,
        context: grpc.aio.ServicerContext[pb.ServerLiveRequest, pb.ServerLiveResponse],
    ) -> pb.ServerLiveResponse:
        """See the contract."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(
        self,
        request: pb.ServerReadyRequest,
        context: grpc.aio.ServicerContext[pb.ServerReadyRequest, pb.ServerReadyResponse],
    ) -> pb.ServerReadyResponse:
        """See the contract."""
        try:
            await self._ready()
        except (Unavailable, grpc.RpcError):
            return pb.ServerReadyResponse(ready=False)
        return pb.ServerReadyResponse(ready=True)

    async def ModelReady(
        self,
        request: pb.ModelReadyRequest,
        context: grpc.aio.ServicerContext[pb.ModelReadyRequest, pb.ModelReadyResponse],
    ) -> pb.ModelReadyResponse:
        """See the contract."""
        try:
            await find_served(self._client, request.name, request.version, field="name")
        except (NotFound, InvalidField):
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def ServerMetadata(
        self,
        request: pb.ServerMetadataRequest,
        context: grpc.aio.ServicerContext[pb.ServerMetadataRequest, pb.ServerMetadataResponse],
    ) -> pb.ServerMetadataResponse:
        """See the contract."""
        return pb.ServerMetadataResponse(
            name="modelfoundry", version=version("modelfoundry"), extensions=[CLASSIFICATION]
        )

    async def ModelMetadata(
        self,
        request: pb.ModelMetadataRequest,
        context: grpc.aio.ServicerContext[pb.ModelMetadataRequest, pb.ModelMetadataResponse],
    ) -> pb.ModelMetadataResponse:
        """See the contract."""
        served = await find_served(self._client, request.name, request.version, field="name")
        kind = singular_of(subject_collection(served.name, field="name"))
        network = served
        if isinstance(network, Module):
            network = await AsyncResources(self._client).base(network, field="name")
        spec = network.input
        return metadata_to_proto(served.name, kind, digest_of(served), spec, outputs_of(served))

    async def ModelInfer(
        self,
        request: pb.ModelInferRequest,
        context: grpc.aio.ServicerContext[pb.ModelInferRequest, pb.ModelInferResponse],
    ) -> pb.ModelInferResponse:
        """See the contract."""
        wanted = wanted_from_proto(request)
        served = await find_served(
            self._client, request.model_name, request.model_version, field="model_name", followed=self._followed
        )
        network = await self._predictor.network(served)
        with self._predictor.room(images_asked(request), network, field="inputs[0]"):
            pixels = await asyncio.to_thread(pixels_from_proto, request, network.input_spec)
            found = await self._predictor.probabilities(network, pixels)
        response = answer_to_proto(request, wanted, network.outputs, found)
        response.model_name = served.name
        response.model_version = network.digest
        return response
