"""Asks the decomposer for modules that are missing."""

from __future__ import annotations

from dataclasses import replace

from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceStub
from modelfoundry.api.registry.v1 import known_resources_pb2
from modelfoundry.client import Endpoints, RequestedModule, Retries, Service, Timeouts
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.errors import ModelFoundryError
from modelfoundry.reuser.on_demand.budgets import budget_field
from modelfoundry.reuser.on_demand.wanted import WantedModules
from modelfoundry.values.problems import BinaryProblem
from modelfoundry.wire.computing import device_to_proto
from modelfoundry.wire.decomposing import set_search
from modelfoundry.wire.known import known_to_proto
from modelfoundry.workbench.resources import AsyncResources


class Decompositions:
    """The decomposer as the reuser sees it.

    Args:
        endpoints: Where it is.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._transport = AsyncTransport(endpoints, Timeouts(), Retries())

    async def check(self, wanted: WantedModules, answer: RequestedModule, resources: AsyncResources) -> None:
        """Checks that a module can be made; starts nothing.

        Args:
            wanted: The request.
            answer: What is missing, and what to make it from.
            resources: Of the call or job that this is part of.

        Raises:
            ModelFoundryError: as the decomposer says; fields of a recipe are named as in RequestModulesRequest.
        """
        request = _request(wanted, answer)
        request.known.CopyFrom(await _known(answer, resources))
        request.validate_only = True
        try:
            await self._call(request)
        except ModelFoundryError as error:
            raise in_terms_of_the_request(error, wanted) from error

    async def start(
        self, wanted: WantedModules, answer: RequestedModule, resources: AsyncResources, request_id: str
    ) -> operations_pb2.Operation:
        """Starts to make a module, or finds the job that makes or made it; as for `check`.

        Raises:
            ModelFoundryError: as the decomposer says.
        """
        request = _request(wanted, answer)
        request.known.CopyFrom(await _known(answer, resources))
        request.request_id = request_id
        return await self._call(request)

    async def close(self) -> None:
        """Closes the channel."""
        await self._transport.close()

    async def _call(self, request: pb.DecomposeRequest) -> operations_pb2.Operation:
        stub = DecomposerServiceStub(self._transport.channel(Service.DECOMPOSER))
        timeout = self._transport.timeouts.check
        return await self._transport.unary(Service.DECOMPOSER, stub.Decompose, request, timeout=timeout)


def _request(wanted: WantedModules, answer: RequestedModule) -> pb.DecomposeRequest:
    """The same for equal questions: all labels that one search is to find in a model are one question."""
    request = pb.DecomposeRequest(
        parent=wanted.parent,
        model=answer.model,
        dataset=answer.dataset,
        device=device_to_proto(wanted.device),
        calibration_split=wanted.calibration_split,
    )
    problem = None if wanted.jointly else BinaryProblem(answer.match.label)
    set_search(request, replace(wanted.search, problem=problem))
    return request


async def _known(answer: RequestedModule, resources: AsyncResources) -> known_resources_pb2.KnownResources:
    """Many labels are asked of one model and one data set: the decomposer and its jobs need not read these for each."""
    return known_to_proto(await resources.model(answer.model), await resources.dataset(answer.dataset))


def in_terms_of_the_request(error: ModelFoundryError, wanted: WantedModules) -> ModelFoundryError:
    """An error of the decomposer with the fields of the request that its settings come from."""
    inner = f"{wanted.search.algorithm}.recipe."
    if not error.field.startswith(inner):
        return error
    setting = error.field.removeprefix(inner)
    outer = budget_field(setting, wanted.constraints) or f"{wanted.settings_field}.{setting}"
    return type(error)(
        error.message.replace(error.field, outer, 1),
        field=outer,
        hint=error.hint,
        metadata=error.metadata,
    )
