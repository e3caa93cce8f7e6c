# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Calls that make the services work."""

# Arguments are named like the fields of the contract.

from __future__ import annotations

from typing import Any

from google.longrunning import operations_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, training_service_pb2
from modelfoundry.client._sync.jobs import Job
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import new_request_id
from modelfoundry.client.transport import Transport
from modelfoundry.values.algorithms import Search
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.computing import Device, ValidationSplit
from modelfoundry.values.recipes import TrainingRecipe, TrainingRecipeDescription
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.resources import Module
from modelfoundry.values.results import (
    TrainedModel,
)
from modelfoundry.wire.architectures import architecture_to_proto
from modelfoundry.wire.computing import device_to_proto, validation_to_proto
from modelfoundry.wire.decomposing import set_search
from modelfoundry.wire.recipes import (
    training_recipe_description_from_proto,
    training_recipe_to_proto,
)


class Verbs:
    """The calls behind `client.decompose`, `train` and `recipes`."""

    def __init__(self, transport: Transport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    def decompose(
        self,
        model: Named,
        dataset: Named,
        search: Search,
        validation: ValidationSplit,
        *,
        seed: int,
        device: Device,
        module_id: str,
        force: bool,
        request_id: str | None,
    ) -> Job[tuple[Module, ...]]:
        """Starts a search."""
        request = decomposer_service_pb2.DecomposeRequest(
            parent=self._parent,
            model=full_name(model, "models", self._parent),
            dataset=full_name(dataset, "datasets", self._parent),
            validation=validation_to_proto(validation),
            seed=seed,
            device=device_to_proto(device),
            module_id=module_id,
            request_id=request_id or new_request_id(),
            force=force,
        )
        set_search(request, search)
        return Job(self._transport, self._start(Service.DECOMPOSER, self._stubs.decomposer.Decompose, request))

    def train(
        self,
        architecture: Architecture,
        dataset: Named,
        recipe: TrainingRecipe,
        validation: ValidationSplit,
        *,
        seed: int,
        device: Device,
        model_id: str,
        request_id: str | None,
    ) -> Job[TrainedModel]:
        """Starts a training."""
        request = training_service_pb2.TrainModelRequest(
            parent=self._parent,
            architecture=architecture_to_proto(architecture),
            dataset=full_name(dataset, "datasets", self._parent),
            recipe=training_recipe_to_proto(recipe),
            validation=validation_to_proto(validation),
            seed=seed,
            device=device_to_proto(device),
            model_id=model_id,
            request_id=request_id or new_request_id(),
        )
        return Job(self._transport, self._start(Service.DECOMPOSER, self._stubs.training.TrainModel, request))

    def recipes(self) -> decomposer_service_pb2.ListRecipesResponse:
        """Lists algorithms and recipes."""
        request = decomposer_service_pb2.ListRecipesRequest()
        response: decomposer_service_pb2.ListRecipesResponse = self._transport.unary(
            Service.DECOMPOSER, self._stubs.decomposer.ListRecipes, request
        )
        return response

    def training_recipes(self) -> tuple[TrainingRecipeDescription, ...]:
        """Lists recipes of training."""
        request = training_service_pb2.ListTrainingRecipesRequest()
        response = self._transport.unary(Service.DECOMPOSER, self._stubs.training.ListTrainingRecipes, request)
        return tuple(training_recipe_description_from_proto(one) for one in response.recipes)

    def _start(self, service: Service, method: Any, request: Any) -> operations_pb2.Operation:
        timeout = self._transport.timeouts.check
        operation: operations_pb2.Operation = self._transport.unary(service, method, request, timeout=timeout)
        return operation
