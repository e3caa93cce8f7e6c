"""Speaks gRPC for the reuser."""

from __future__ import annotations

import asyncio

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2_grpc as pb_grpc
from modelfoundry.artifacts.aliases import OwnNames
from modelfoundry.artifacts.queue import JobQueue
from modelfoundry.artifacts.requests import check_request_id, subject_collection
from modelfoundry.client import AsyncClient
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_name, parse_parent
from modelfoundry.reuser.codec import batch_sizes_from_proto, format_from_proto, images_from_proto, prediction_to_proto
from modelfoundry.reuser.compact import plan_compaction
from modelfoundry.reuser.compose_plan import plan_composition
from modelfoundry.reuser.composing_codec import composition_from_proto
from modelfoundry.reuser.export import plan_export
from modelfoundry.reuser.predict import Predictor, classify

EXPORT_KIND = "export"
COMPACT_KIND = "compact"
COMPOSE_KIND = "compose"


class ReuserServicer(pb_grpc.ReuserServiceServicer):
    """Answers predictions itself; exports, compactions and compositions are jobs (`jobs.py`)."""

    def __init__(self, client: AsyncClient, queue: JobQueue, predictor: Predictor, turns: asyncio.Semaphore) -> None:
        self._client = client
        self._queue = queue
        self._predictor = predictor
        self._turns = turns

    async def Export(
        self, request: pb.ExportRequest, context: grpc.aio.ServicerContext[pb.ExportRequest, operations_pb2.Operation]
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        parse_parent(request.parent)
        request.subject = await OwnNames(self._client).of(request.subject, field="subject")
        format_name = format_from_proto(request.format)
        cache_key = await plan_export(request.subject, format_name, self._client, compact=request.compact)
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=EXPORT_KIND,
            target=request.subject,
            cache_key=cache_key,
            request_id=request.request_id,
        )

    async def ComposeModel(
        self,
        request: composing_pb2.ComposeModelRequest,
        context: grpc.aio.ServicerContext[composing_pb2.ComposeModelRequest, operations_pb2.Operation],
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        await _name_sources(request, OwnNames(self._client))
        plan = await plan_composition(composition_from_proto(request), self._client)
        if request.validate_only:
            return operations_pb2.Operation()
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=COMPOSE_KIND,
            target=plan.request.task.target,
            cache_key=plan.cache_key,
            force=request.force,
            request_id=request.request_id,
        )

    async def Compact(
        self, request: pb.CompactRequest, context: grpc.aio.ServicerContext[pb.CompactRequest, operations_pb2.Operation]
    ) -> operations_pb2.Operation:
        """See the contract."""
        check_request_id(request.request_id)
        parse_parent(request.parent)
        request.module = await OwnNames(self._client).of(request.module, field="module")
        parse_name(request.module, "modules", field="module")
        cache_key = await plan_compaction(request.module, batch_sizes_from_proto(request), self._client)
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=COMPACT_KIND,
            target=request.module,
            cache_key=cache_key,
            request_id=request.request_id,
        )

    async def Predict(
        self, request: pb.PredictRequest, context: grpc.aio.ServicerContext[pb.PredictRequest, pb.PredictResponse]
    ) -> pb.PredictResponse:
        """See the contract."""
        request.subject = await OwnNames(self._client).of(request.subject, field="subject")
        parse_name(request.subject, subject_collection(request.subject, field="subject"), field="subject")
        if request.top_k < 0:
            raise InvalidField(f"top_k: {request.top_k} is negative", field="top_k", hint="pass 0 for all labels")
        async with self._turns:
            return await asyncio.to_thread(self._predict, request)

    def _predict(self, request: pb.PredictRequest) -> pb.PredictResponse:
        subject = self._predictor.subject(request.subject)
        images = images_from_proto(request.images, subject.classifier.input_spec)
        return pb.PredictResponse(
            subject=request.subject,
            subject_digest=subject.digest,
            predictions=[prediction_to_proto(labels) for labels in classify(subject.classifier, images, request.top_k)],
        )


async def _name_sources(request: composing_pb2.ComposeModelRequest, names: OwnNames) -> None:
    match request.WhichOneof("task"):
        case "more_accurate":
            task = request.more_accurate
            task.sources[:] = await names.of_all(task.sources, field="more_accurate.sources")
        case "new_task":
            for place, label in enumerate(request.new_task.labels):
                label.sources[:] = await names.of_all(label.sources, field=f"new_task.labels[{place}].sources")
        case "patch":
            request.patch.model = await names.of(request.patch.model, field="patch.model")
            request.patch.sources[:] = await names.of_all(request.patch.sources, field="patch.sources")
