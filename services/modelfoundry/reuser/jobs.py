"""What the reuser's workers run. Named by import path in `app.py`, imported in the worker process."""

from __future__ import annotations

import asyncio

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.client import AsyncClient, Endpoints
from modelfoundry.reuser.codec import batch_sizes_from_proto, format_from_proto
from modelfoundry.reuser.compact import compact
from modelfoundry.reuser.compose import compose
from modelfoundry.reuser.compose_plan import CompositionPlan, plan_composition
from modelfoundry.reuser.composing import CompositionRequest
from modelfoundry.reuser.composing_codec import composition_from_proto, replacement_to_proto
from modelfoundry.reuser.export import ExportedFile, export_subject
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.wire.figures import forms_to_proto
from modelfoundry.workbench.jobs import workbench


def run_export(request: pb.ExportRequest, context: JobContext) -> pb.ExportResponse:
    """Carries a queued Export out."""
    with workbench(context, ReuserSettings()) as bench:
        exported = export_subject(request.subject, format_from_proto(request.format), bench, compact=request.compact)
    return pb.ExportResponse(
        subject=request.subject,
        format=request.format,
        files=[_file_to_proto(file) for file in exported.files],
        max_difference=exported.max_difference,
        compact=request.compact,
    )


def run_compose(request: composing_pb2.ComposeModelRequest, context: JobContext) -> composing_pb2.ComposeModelResponse:
    """Carries a queued ComposeModel out."""
    plan = asyncio.run(_plan(composition_from_proto(request), context.registry))
    with workbench(context, ReuserSettings()) as bench:
        composed = compose(plan, context.name, bench)
    for replacement in composed.replacements:
        if replacement.refusal:
            context.log(
                f"{replacement.label} is not replaced by {replacement.source}: {replacement.refusal}", "warning"
            )
    return composing_pb2.ComposeModelResponse(
        composition=composed.name, replacements=[replacement_to_proto(each) for each in composed.replacements]
    )


async def _plan(wanted: CompositionRequest, registry: str) -> CompositionPlan:
    async with AsyncClient(Endpoints(registry=registry), parent=wanted.parent) as client:
        return await plan_composition(wanted, client)


def run_compact(request: pb.CompactRequest, context: JobContext) -> pb.CompactResponse:
    """Carries a queued Compact out."""
    with workbench(context, ReuserSettings()) as bench:
        forms = compact(request.module, batch_sizes_from_proto(request), context.name, bench)
    return pb.CompactResponse(module=request.module, forms=forms_to_proto(forms))


def _file_to_proto(file: ExportedFile) -> pb.ExportedFile:
    content = blob_pb2.BlobRef(
        digest=file.content.digest, size_bytes=file.content.size_bytes, media_type=file.content.media_type
    )
    return pb.ExportedFile(path=file.path, content=content)
