"""Speaks gRPC for requests for modules: answers at once what is there, and queues what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from google.longrunning import operations_pb2

from modelfoundry.api.reuser.v1 import composing_pb2, reuser_service_pb2
from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.api.reuser.v1 import on_demand_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient, Endpoints, ModuleOrigin
from modelfoundry.reuser.jobs import REQUEST_KIND
from modelfoundry.reuser.on_demand.decompositions import Decompositions
from modelfoundry.reuser.on_demand.delivery import Delivery, subjects_of
from modelfoundry.reuser.on_demand.plan import plan_request, request_key
from modelfoundry.reuser.on_demand.wanted import Answers, WantedModules, wanted_from_proto
from modelfoundry.wire.on_demand import requested_module_to_proto
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources


class OnDemandServicer(pb_grpc.OnDemandServiceServicer):
    """Chooses modules itself; a job (`job.py`) gets those that are missing.

    Args:
        endpoints: Where the registry is.
        queue: The registry's queue of jobs.
        decompositions: Access to the decomposer.
        delivery: Starts what a request ends with.
    """

    def __init__(
        self, endpoints: Endpoints, queue: JobQueue, decompositions: Decompositions, delivery: Delivery
    ) -> None:
        self._endpoints = endpoints
        self._queue = queue
        self._decompositions = decompositions
        self._delivery = delivery

    async def RequestModules(
        self,
        request: pb.RequestModulesRequest,
        context: grpc.aio.ServicerContext[pb.RequestModulesRequest, pb.RequestModulesResponse],
    ) -> pb.RequestModulesResponse:
        """See the contract."""
        wanted = wanted_from_proto(request)
        async with AsyncClient(self._endpoints, parent=wanted.parent) as client:
            resources = AsyncResources(client)
            answers = await plan_request(wanted, resources)
            response = pb.RequestModulesResponse(modules=map(requested_module_to_proto, answers))
            if not request.validate_only and await self._completed(response, wanted, answers, resources):
                return response
            missing = [answer for answer in answers if answer.origin is ModuleOrigin.TO_BE_MADE]
            await asyncio.gather(*(self._decompositions.check(wanted, answer, resources) for answer in missing))
        if request.validate_only:
            return response
        operation = await self._queue.enqueue(
            pb.RequestModulesWork(request=request, modules=response.modules),
            parent=wanted.parent,
            kind=REQUEST_KIND,
            target=next((answer.model for answer in answers if answer.model), answers[0].module),
            cache_key=request_key(wanted, answers),
        )
        if operation.HasField("response"):
            operation.response.Unpack(response)
        else:
            response.operation.CopyFrom(operation)
        return response

    async def _completed(
        self, response: pb.RequestModulesResponse, wanted: WantedModules, answers: Answers, resources: AsyncResources
    ) -> bool:
        """Adds what was made of the modules before; False where something is missing, whose job may have been begun."""
        if any(not answer.module for answer in answers):
            return False
        if wanted.compose:
            composed = composing_pb2.ComposeModelResponse()
            if not (await self._delivery.compose(wanted, answers, resources)).response.Unpack(composed):
                return False
            response.composition = composed.composition
        exports = await self._exported(wanted, subjects_of(wanted, answers, response.composition), resources)
        if exports is None:
            response.composition = ""
            return False
        response.exports.extend(exports)
        return True

    async def _exported(
        self, wanted: WantedModules, subjects: Sequence[str], resources: AsyncResources
    ) -> list[reuser_service_pb2.ExportResponse] | None:
        operations: Sequence[operations_pb2.Operation] = await asyncio.gather(
            *(self._delivery.export(wanted, subject, resources) for subject in subjects)
        )
        found = []
        for operation in operations:
            exported = reuser_service_pb2.ExportResponse()
            if not operation.response.Unpack(exported):
                return None
            found.append(exported)
        return found
