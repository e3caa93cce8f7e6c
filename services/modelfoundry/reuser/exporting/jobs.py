"""What workers run for exports and compactions. Named by import path in `reuser/jobs.py`, imported in the worker."""

from __future__ import annotations

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.reuser.exporting.compact import batch_sizes_from_proto, compact
from modelfoundry.reuser.exporting.export import ExportedFile, export_subject
from modelfoundry.reuser.exporting.formats import format_from_proto
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
