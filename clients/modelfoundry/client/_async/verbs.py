"""Calls that make the services work."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.longrunning import operations_pb2
from grpc_health.v1 import health_pb2

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, training_service_pb2
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.client._async.jobs import AsyncJob
from modelfoundry.client.endpoints import Service
from modelfoundry.client.images import ImageLike, batches, image_inputs
from modelfoundry.client.requests import new_request_id
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.computing import Device, ValidationSplit
from modelfoundry.values.exports import Export, ExportFormat
from modelfoundry.values.problems import Problem
from modelfoundry.values.recipes import (
    GradSplitterRecipe,
    GradSplitterRecipeDescription,
    RecipeDescription,
    SeamRecipe,
    TrainingRecipe,
    TrainingRecipeDescription,
)
from modelfoundry.values.references import Named, full_name, subject_name
from modelfoundry.values.resources import Evaluation, Module
from modelfoundry.values.results import (
    Compaction,
    Prediction,
    ServiceHealth,
    TrainedModel,
)
from modelfoundry.wire.architectures import architecture_to_proto
from modelfoundry.wire.computing import device_to_proto, problem_to_proto, validation_to_proto
from modelfoundry.wire.jobs import export_format_to_proto, predictions_from_proto
from modelfoundry.wire.recipes import (
    gradsplitter_recipe_description_from_proto,
    gradsplitter_recipe_to_proto,
    recipe_description_from_proto,
    seam_recipe_to_proto,
    training_recipe_description_from_proto,
    training_recipe_to_proto,
)


class AsyncVerbs:
    """The calls behind `client.decompose`, `train`, `evaluate`, `export`, `compact`, `predict`, `recipes`, `health`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    async def decompose(
        self,
        model: Named,
        dataset: Named,
        problem: Problem | None,
        recipe: SeamRecipe,
        validation: ValidationSplit,
        *,
        seed: int,
        device: Device,
        module_id: str,
        force: bool,
        request_id: str | None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts a search."""
        request = decomposer_service_pb2.DecomposeRequest(
            parent=self._parent,
            model=full_name(model, "models", self._parent),
            dataset=full_name(dataset, "datasets", self._parent),
            seam=decomposer_service_pb2.SeamSettings(
                problem=None if problem is None else problem_to_proto(problem), recipe=seam_recipe_to_proto(recipe)
            ),
            validation=validation_to_proto(validation),
            seed=seed,
            device=device_to_proto(device),
            module_id=module_id,
            request_id=request_id or new_request_id(),
            force=force,
        )
        return AsyncJob(
            self._transport, await self._start(Service.DECOMPOSER, self._stubs.decomposer.Decompose, request)
        )

    async def decompose_all(
        self,
        model: Named,
        dataset: Named,
        label_groups: Sequence[Sequence[str]],
        recipe: GradSplitterRecipe,
        validation: ValidationSplit,
        *,
        seed: int,
        device: Device,
        module_id: str,
        force: bool,
        request_id: str | None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts a joint search."""
        groups = [decomposer_service_pb2.LabelGroup(labels=group) for group in label_groups]
        request = decomposer_service_pb2.DecomposeRequest(
            parent=self._parent,
            model=full_name(model, "models", self._parent),
            dataset=full_name(dataset, "datasets", self._parent),
            gradsplitter=decomposer_service_pb2.GradSplitterSettings(
                label_groups=groups, recipe=gradsplitter_recipe_to_proto(recipe)
            ),
            validation=validation_to_proto(validation),
            seed=seed,
            device=device_to_proto(device),
            module_id=module_id,
            request_id=request_id or new_request_id(),
            force=force,
        )
        return AsyncJob(
            self._transport, await self._start(Service.DECOMPOSER, self._stubs.decomposer.Decompose, request)
        )

    async def train(
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
    ) -> AsyncJob[TrainedModel]:
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
        return AsyncJob(
            self._transport, await self._start(Service.DECOMPOSER, self._stubs.training.TrainModel, request)
        )

    async def evaluate(
        self,
        subjects: Sequence[Named],
        datasets: Sequence[Named],
        *,
        split: str,
        baselines: bool,
        modularity: bool,
        problem: Problem | None,
        latency_batch_sizes: Sequence[int],
        device: Device,
        request_id: str | None,
    ) -> AsyncJob[tuple[Evaluation, ...]]:
        """Starts a measurement."""
        first, *others = [full_name(dataset, "datasets", self._parent) for dataset in datasets] or [""]
        request = evaluator_service_pb2.EvaluateRequest(
            parent=self._parent,
            subjects=[subject_name(subject, self._parent) for subject in subjects],
            dataset=first,
            other_datasets=others,
            split=split,
            baselines=baselines,
            modularity=modularity,
            problem=None if problem is None else problem_to_proto(problem),
            latency_batch_sizes=latency_batch_sizes,
            device=device_to_proto(device),
            request_id=request_id or new_request_id(),
        )
        return AsyncJob(self._transport, await self._start(Service.EVALUATOR, self._stubs.evaluator.Evaluate, request))

    async def export(
        self, subject: Named, format: ExportFormat, request_id: str | None, *, compact: bool
    ) -> AsyncJob[Export]:
        """Starts an export."""
        request = reuser_service_pb2.ExportRequest(
            parent=self._parent,
            subject=subject_name(subject, self._parent),
            format=export_format_to_proto(format),
            request_id=request_id or new_request_id(),
            compact=compact,
        )
        return AsyncJob(self._transport, await self._start(Service.REUSER, self._stubs.reuser.Export, request))

    async def compact(
        self, module: Named, latency_batch_sizes: Sequence[int], request_id: str | None
    ) -> AsyncJob[Compaction]:
        """Starts a compaction."""
        request = reuser_service_pb2.CompactRequest(
            parent=self._parent,
            module=full_name(module, "modules", self._parent),
            latency_batch_sizes=latency_batch_sizes,
            request_id=request_id or new_request_id(),
        )
        return AsyncJob(self._transport, await self._start(Service.REUSER, self._stubs.reuser.Compact, request))

    async def predict(
        self, subject: Named, images: ImageLike | Iterable[ImageLike], top_k: int
    ) -> tuple[Prediction, ...]:
        """Classifies images in as many calls as they need."""
        name = subject_name(subject, self._parent)
        predictions: list[Prediction] = []
        for batch in batches(image_inputs(images)):
            request = reuser_service_pb2.PredictRequest(subject=name, images=batch, top_k=top_k)
            response = await self._transport.unary(
                Service.REUSER, self._stubs.reuser.Predict, request, timeout=self._transport.timeouts.predict
            )
            predictions.extend(predictions_from_proto(response))
        return tuple(predictions)

    async def recipes(self) -> tuple[RecipeDescription, ...]:
        """Lists recipes."""
        request = decomposer_service_pb2.ListRecipesRequest()
        response = await self._transport.unary(Service.DECOMPOSER, self._stubs.decomposer.ListRecipes, request)
        return tuple(recipe_description_from_proto(one) for one in response.recipes)

    async def gradsplitter_recipes(self) -> tuple[GradSplitterRecipeDescription, ...]:
        """Lists recipes of GradSplitter."""
        request = decomposer_service_pb2.ListRecipesRequest()
        response = await self._transport.unary(Service.DECOMPOSER, self._stubs.decomposer.ListRecipes, request)
        return tuple(gradsplitter_recipe_description_from_proto(one) for one in response.gradsplitter_recipes)

    async def training_recipes(self) -> tuple[TrainingRecipeDescription, ...]:
        """Lists recipes of training."""
        request = training_service_pb2.ListTrainingRecipesRequest()
        response = await self._transport.unary(Service.DECOMPOSER, self._stubs.training.ListTrainingRecipes, request)
        return tuple(training_recipe_description_from_proto(one) for one in response.recipes)

    async def health(self) -> Mapping[Service, ServiceHealth]:
        """Asks every service whether it is ready."""
        return {service: await self._service_health(service) for service in Service}

    async def _service_health(self, service: Service) -> ServiceHealth:
        address = self._transport.endpoints.address(service)
        request = health_pb2.HealthCheckRequest()
        try:
            response = await self._transport.unary(service, self._stubs.health(service).Check, request)
        except errors.ModelFoundryError as error:
            return ServiceHealth(address, ready=False, detail=error.message)
        ready = response.status == health_pb2.HealthCheckResponse.SERVING
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        return ServiceHealth(address, ready=ready, detail="" if ready else f"it says {status}")

    async def _start(self, service: Service, method: Any, request: Any) -> operations_pb2.Operation:
        timeout = self._transport.timeouts.check
        operation: operations_pb2.Operation = await self._transport.unary(service, method, request, timeout=timeout)
        return operation
