"""Asks the decomposer for modules that are missing."""

from __future__ import annotations

from typing import NoReturn

from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceStub
from modelfoundry.api.types.v1 import problem_pb2
from modelfoundry.client import Endpoints, RequestedModule, Retries, SeamRecipe, Service, Timeouts
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.errors import ModelFoundryError
from modelfoundry.reuser.on_demand.wanted import WantedModules
from modelfoundry.wire.computing import device_to_proto
from modelfoundry.wire.recipes import gradsplitter_recipe_to_proto, seam_recipe_to_proto


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
    """The same for equal questions: all labels that GradSplitter is to find in one model are one question."""
    request = pb.DecomposeRequest(
        parent=wanted.parent,
        model=answer.model,
        dataset=answer.dataset,
        device=device_to_proto(wanted.device),
    )
    if isinstance(wanted.recipe, SeamRecipe):
        problem = problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label=answer.match.label))
        request.seam.CopyFrom(pb.SeamSettings(problem=problem, recipe=seam_recipe_to_proto(wanted.recipe)))
    else:
        request.gradsplitter.CopyFrom(pb.GradSplitterSettings(recipe=gradsplitter_recipe_to_proto(wanted.recipe)))
    return request


def _raise_in_terms_of_the_request(error: ModelFoundryError) -> NoReturn:
    for algorithm in ("seam", "gradsplitter"):
        inner, outer = f"{algorithm}.recipe.", f"{algorithm}."
        if error.field.startswith(inner):
            raise type(error)(
                error.message.replace(inner, outer, 1),
                field=error.field.replace(inner, outer, 1),
                hint=error.hint,
                metadata=error.metadata,
            ) from error
    raise error
