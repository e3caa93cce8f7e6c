"""Calls that train networks and take them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, training_service_pb2
from modelfoundry.client._async.jobs import AsyncJob, start
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import chosen, new_request_id
from modelfoundry.client.searches import chosen_search
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.algorithms import AlgorithmDescription, Search
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.computing import Device, ValidationSplit
from modelfoundry.values.kinds import Kind
from modelfoundry.values.problems import Problem, label_groups_from, problem_from
from modelfoundry.values.recipes import (
    GradSplitterRecipe,
    GradSplitterRecipeDescription,
    RecipeDescription,
    SeamRecipe,
    TrainingRecipe,
    TrainingRecipeDescription,
)
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.resources import Module
from modelfoundry.values.results import TrainedModel
from modelfoundry.wire.architectures import architecture_to_proto
from modelfoundry.wire.computing import device_to_proto, validation_to_proto
from modelfoundry.wire.decomposing import algorithm_from_proto, set_search
from modelfoundry.wire.recipes import (
    gradsplitter_recipe_description_from_proto,
    recipe_description_from_proto,
    training_recipe_description_from_proto,
    training_recipe_to_proto,
)


class AsyncDecomposing:
    """The part of a client that trains and decomposes; see `AsyncClient`."""

    parent: str
    _transport: AsyncTransport

    async def decompose(
        self,
        model: Named,
        dataset: Named,
        *,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        problem: Problem | None = None,
        recipe: SeamRecipe | None = None,
        algorithm: str = "",
        settings: Mapping[str, Any] | None = None,
        validation: ValidationSplit | None = None,
        calibration_split: str = "",
        seed: int = 0,
        device: Device | str = Device.AUTO,
        module_id: str = "",
        force: bool = False,
        request_id: str | None = None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts the search for what one problem needs, by SeaM unless another algorithm is named; gives one module.

        Args:
            model: The trained model: id, name or `Model`.
            dataset: Labelled images: id, name or `Dataset`.
            label: Binary problem: this label against the rest. Give one of `label`, `labels`, `problem`.
            labels: Multi-class problem: these labels, two or more.
            problem: The problem as a value.
            recipe: How to search, as a value. None: as `settings` say, else by the algorithm's first recipe.
            algorithm: Which algorithm searches, by its name; `algorithms` lists them. Empty: that of the recipe, or the
                first.
            settings: Settings by name, `recipe` for the recipe that the others come from.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            calibration_split: A split of images that the model did not train on, to fit, choose and measure on in
                place of what is cut. Empty: none.
            seed: Seed of initialisation, sampling and dropout.
            device: `auto`, `cpu` or `cuda`.
            module_id: Last segment of the module's name. Empty: made from model, label and settings.
            force: Search again even when an equal module exists.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnknownLabel, DatasetMismatch, InvalidField, NotFound, UnsupportedModel, Unavailable: as the service says.
        """
        name, given = chosen_search(recipe, algorithm, settings, joint=False)
        return await self._decompose(
            model,
            dataset,
            Search(algorithm=name, problem=problem_from(problem, label, labels), settings=given),
            validation=validation,
            calibration_split=calibration_split,
            seed=seed,
            device=device,
            module_id=module_id,
            force=force,
            request_id=request_id,
        )

    async def decompose_all(
        self,
        model: Named,
        dataset: Named,
        *,
        label_groups: Sequence[Sequence[str]] = (),
        recipe: GradSplitterRecipe | None = None,
        algorithm: str = "",
        settings: Mapping[str, Any] | None = None,
        validation: ValidationSplit | None = None,
        calibration_split: str = "",
        seed: int = 0,
        device: Device | str = Device.AUTO,
        module_id: str = "",
        force: bool = False,
        request_id: str | None = None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts one search for modules of all labels of a model, by GradSplitter unless another algorithm is named.

        Args:
            model: The trained model, convolutional: id, name or `Model`.
            dataset: Labelled images with all labels of the model: id, name or `Dataset`.
            label_groups: Labels that one module recognises together. Labels in no group get a module each.
            recipe: How to search, as a value. None: as `settings` say, else by the algorithm's first recipe.
            algorithm: Which algorithm searches, by its name; `algorithms` lists them. Empty: that of the recipe, or the
                first.
            settings: Settings by name, `recipe` for the recipe that the others come from.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            calibration_split: A split of images that the model did not train on, to fit, choose and measure on in
                place of what is cut. Empty: none.
            seed: Seed of initialisation and order.
            device: `auto`, `cpu` or `cuda`.
            module_id: Beginning of the modules' ids, before their labels, at most 40 characters. Empty: made from model
                and settings.
            force: Search again even when equal modules exist.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Returns:
            A job that results in all modules, in the order of the model's labels.

        Raises:
            UnsupportedModel: no kernel of the model can be cut out; layer and reason are named.
            UnknownLabel, DatasetMismatch, InvalidField, NotFound, Unavailable: as the service says.
        """
        name, given = chosen_search(recipe, algorithm, settings, joint=True)
        return await self._decompose(
            model,
            dataset,
            Search(algorithm=name, label_groups=label_groups_from(label_groups), settings=given),
            validation=validation,
            calibration_split=calibration_split,
            seed=seed,
            device=device,
            module_id=module_id,
            force=force,
            request_id=request_id,
        )

    async def train(
        self,
        architecture: Architecture | str,
        dataset: Named,
        *,
        recipe: TrainingRecipe | None = None,
        validation: ValidationSplit | None = None,
        seed: int = 0,
        device: Device | str = Device.AUTO,
        model_id: str = "",
        request_id: str | None = None,
    ) -> AsyncJob[TrainedModel]:
        """Starts training a network from scratch; the epoch with the best validation accuracy is registered.

        Args:
            architecture: What to train, or its builder's name, for example `zoo:simcnn`.
            dataset: Labelled images: id, name or `Dataset`.
            recipe: How to train. None: the recipe `default`. `TrainingRecipe(recipe="weak")` trains on an imbalanced
                part of the data that the seed chooses.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            seed: Seed of initialisation, sampling and dropout.
            device: `auto`, `cpu` or `cuda`.
            model_id: Last segment of the model's name. Empty: made from architecture and data set.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnknownArchitecture, DatasetMismatch, InvalidField, NotFound, Unavailable: as the service says.
        """
        request = training_service_pb2.TrainModelRequest(
            parent=self.parent,
            architecture=architecture_to_proto(
                Architecture(architecture) if isinstance(architecture, str) else architecture
            ),
            dataset=full_name(dataset, Kind.DATASET, self.parent),
            recipe=training_recipe_to_proto(recipe or TrainingRecipe()),
            validation=validation_to_proto(validation or ValidationSplit()),
            seed=seed,
            device=device_to_proto(chosen(device, Device, "device")),
            model_id=model_id,
            request_id=request_id or new_request_id(),
        )
        return await start(self._transport, Service.DECOMPOSER, self._transport.stubs.training.TrainModel, request)

    async def algorithms(self) -> tuple[AlgorithmDescription, ...]:
        """What modules can be searched with: settings, their limits, and recipes. The first is meant where none is."""
        return tuple(map(algorithm_from_proto, (await self._listed()).algorithms))

    async def recipes(self) -> tuple[RecipeDescription, ...]:
        """The recipes of SeaM, with all settings. `algorithms` has those of every algorithm."""
        return tuple(map(recipe_description_from_proto, (await self._listed()).recipes))

    async def gradsplitter_recipes(self) -> tuple[GradSplitterRecipeDescription, ...]:
        """The recipes of GradSplitter, with all settings. `algorithms` has those of every algorithm."""
        listed = (await self._listed()).gradsplitter_recipes
        return tuple(map(gradsplitter_recipe_description_from_proto, listed))

    async def training_recipes(self) -> tuple[TrainingRecipeDescription, ...]:
        """The recipes of `train`, with all settings."""
        request = training_service_pb2.ListTrainingRecipesRequest()
        method = self._transport.stubs.training.ListTrainingRecipes
        response = await self._transport.unary(Service.DECOMPOSER, method, request)
        return tuple(map(training_recipe_description_from_proto, response.recipes))

    async def _listed(self) -> decomposer_service_pb2.ListRecipesResponse:
        """Algorithms and recipes."""
        request = decomposer_service_pb2.ListRecipesRequest()
        return await self._transport.unary(Service.DECOMPOSER, self._transport.stubs.decomposer.ListRecipes, request)

    async def _decompose(
        self,
        model: Named,
        dataset: Named,
        search: Search,
        *,
        validation: ValidationSplit | None,
        calibration_split: str,
        seed: int,
        device: Device | str,
        module_id: str,
        force: bool,
        request_id: str | None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts a search, of one module or of all."""
        request = decomposer_service_pb2.DecomposeRequest(
            parent=self.parent,
            model=full_name(model, Kind.MODEL, self.parent),
            dataset=full_name(dataset, Kind.DATASET, self.parent),
            validation=validation_to_proto(validation or ValidationSplit()),
            calibration_split=calibration_split,
            seed=seed,
            device=device_to_proto(chosen(device, Device, "device")),
            module_id=module_id,
            request_id=request_id or new_request_id(),
            force=force,
        )
        set_search(request, search)
        return await start(self._transport, Service.DECOMPOSER, self._transport.stubs.decomposer.Decompose, request)
