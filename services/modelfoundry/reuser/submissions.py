"""Checks what the reuser's workers are to do, and queues it: equal work gives the job that is there."""

from __future__ import annotations

from google.longrunning import operations_pb2

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.names import check_request_id, parse_name, parse_parent
from modelfoundry.reuser.composing.plan import plan_composition
from modelfoundry.reuser.composing.request import composition_from_proto
from modelfoundry.reuser.exporting.compact import batch_sizes_of, plan_compaction
from modelfoundry.reuser.exporting.plan import plan_export
from modelfoundry.reuser.exporting.request import export_from_proto
from modelfoundry.reuser.jobs import COMPACT_KIND, COMPOSE_KIND, EXPORT_KIND
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.aliases import OwnNames
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources


class Submissions:
    """Queues exports, compactions and compositions.

    Each takes the resources of the call or job that it is part of, so that what was read for that is not read again.

    Args:
        queue: The registry's queue of jobs.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    async def export(self, request: pb.ExportRequest, resources: AsyncResources) -> operations_pb2.Operation:
        """Queues an export.

        Raises:
            InvalidField, DatasetMismatch, NotFound, Unavailable: see the contract.
        """
        check_request_id(request.request_id)
        parse_parent(request.parent)
        request.subject = await OwnNames(resources).of(request.subject, field="subject")
        plan = await plan_export(export_from_proto(request), resources)
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=EXPORT_KIND,
            target=request.subject,
            cache_key=plan.cache_key,
            request_id=request.request_id,
        )

    async def compose(
        self, request: composing_pb2.ComposeModelRequest, resources: AsyncResources
    ) -> operations_pb2.Operation:
        """Queues a composition. Its candidates are modules of the project that the client of `resources` is for.

        Raises:
            InvalidField, UnknownLabel, DatasetMismatch, TestSplitSealed, NotFound, Unavailable: see the contract.
        """
        check_request_id(request.request_id)
        await _name_sources(request, OwnNames(resources))
        composition = composition_from_proto(request)
        plan = await plan_composition(composition, resources)
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

    async def compact(self, request: pb.CompactRequest, resources: AsyncResources) -> operations_pb2.Operation:
        """Queues a compaction.

        Raises:
            InvalidField, NotFound, Unavailable: see the contract.
        """
        check_request_id(request.request_id)
        parse_parent(request.parent)
        request.module = await OwnNames(resources).of(request.module, field="module")
        parse_name(request.module, Kind.MODULE, field="module")
        cache_key = await plan_compaction(request.module, batch_sizes_of(request.latency_batch_sizes), resources)
        return await self._queue.enqueue(
            request,
            parent=request.parent,
            kind=COMPACT_KIND,
            target=request.module,
            cache_key=cache_key,
            request_id=request.request_id,
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
