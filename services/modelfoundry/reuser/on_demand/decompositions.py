"""Asks the decomposer for modules that are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceStub
from modelfoundry.client import Endpoints, RequestedModule, Retries, Service, Timeouts
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.errors import ModelFoundryError
from modelfoundry.reuser.on_demand.wanted import WantedModules
from modelfoundry.values.problems import BinaryProblem
from modelfoundry.wire.computing import device_to_proto
from modelfoundry.wire.decomposing import ALGORITHM_NAMES, set_search


class Decompositions:
    """The decomposer as the reuser sees it.

    Args:
        endpoints: Where it is.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._transport = AsyncTransport(endpoints, Timeouts(), Retries())

    async def check(self, wanted: WantedModules, answer: RequestedModule) -> None:
        """Checks that a module can be made; starts nothing.

        Raises:
            ModelFoundryError: as the decomposer says; fields of a recipe are named as in RequestModulesRequest.
        """
        request = _request(wanted, answer)
        request.validate_only = True
        try:
            await self._call(request)
        except ModelFoundryError as error:
            _raise_in_terms_of_the_request(error)

    async def start(self, wanted: WantedModules, answer: RequestedModule, request_id: str) -> operations_pb2.Operation:
        """Starts to make a module, or finds the job that makes or made it.

        Raises:
            ModelFoundryError: as the decomposer says.
        """
        request = _request(wanted, answer)
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
    )
    problem = None if wanted.jointly else BinaryProblem(answer.match.label)
    set_search(request, replace(wanted.search, problem=problem))
    return request


def _raise_in_terms_of_the_request(error: ModelFoundryError) -> NoReturn:
    for algorithm in ALGORITHM_NAMES:
        inner, outer = f"{algorithm}.recipe.", f"{algorithm}."
        if error.field.startswith(inner):
            raise type(error)(
                error.message.replace(inner, outer, 1),
                field=error.field.replace(inner, outer, 1),
                hint=error.hint,
                metadata=error.metadata,
            ) from error
    raise error
