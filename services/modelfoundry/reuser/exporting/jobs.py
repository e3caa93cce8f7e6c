"""What workers run for exports and compactions. Named by import path in `reuser/jobs.py`, imported in the worker."""

from __future__ import annotations

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.reuser.exporting.compact import batch_sizes_of, compact
from modelfoundry.reuser.exporting.export import export_subject
from modelfoundry.reuser.exporting.plan import plan_export
from modelfoundry.reuser.exporting.request import export_from_proto
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.values.results import Compaction
from modelfoundry.wire.exports import compaction_to_proto, export_to_proto
from modelfoundry.wire.known import known_from_proto
from modelfoundry.workbench.jobs import workbench


def run_export(request: pb.ExportRequest, context: JobContext) -> pb.ExportResponse:
    """Carries a queued Export out."""
    wanted = export_from_proto(request)
    with workbench(context, ReuserSettings(), known_from_proto(request.known)) as bench:
        plan = bench.planned(lambda resources: plan_export(wanted, resources))
        return export_to_proto(export_subject(plan, bench))


def run_compact(request: pb.CompactRequest, context: JobContext) -> pb.CompactResponse:
    """Carries a queued Compact out."""
    with workbench(context, ReuserSettings(), known_from_proto(request.known)) as bench:
        forms = compact(request.module, batch_sizes_of(request.latency_batch_sizes), context.name, bench)
    return compaction_to_proto(Compaction(request.module, forms))
