"""Requests of the training service as requests that can be planned, every setting filled in."""

from __future__ import annotations

from dataclasses import asdict

from modelfoundry.api.decomposer.v1 import training_service_pb2 as pb
from modelfoundry.core.training import Recipe, TrainingSettings, resolve_recipe
from modelfoundry.decomposer.training import TrainingRequest
from modelfoundry.names import check_id, parse_name, parse_parent
from modelfoundry.values.computing import Device, TrainingSubset
from modelfoundry.values.kinds import Kind
from modelfoundry.wire.architectures import ARCHITECTURE
from modelfoundry.wire.computing import DEVICE, VALIDATION, subset_to_proto
from modelfoundry.wire.recipes import given_settings, recipe_to_proto


def training_from_proto(request: pb.TrainModelRequest) -> TrainingRequest:
    """A request with every setting filled in.

    Raises:
        InvalidField: a name or a setting is malformed or out of range.
    """
    parse_parent(request.parent)
    parse_name(request.dataset, Kind.DATASET, field="dataset")
    if request.model_id:
        check_id(request.model_id, field="model_id")
    recipe = request.recipe
    subset = {field.name: value for field, value in recipe.subset.ListFields()} if recipe.HasField("subset") else None
    return TrainingRequest(
        parent=request.parent,
        architecture=ARCHITECTURE.from_request(request.architecture, field="architecture"),
        dataset=request.dataset,
        recipe=resolve_recipe(recipe.recipe, given_settings(recipe, field="recipe"), subset, seed=request.seed),
        validation=VALIDATION.from_request(request.validation, field="validation"),
        seed=request.seed,
        device=DEVICE.from_request(request.device, field="device", default=Device.AUTO),
        model_id=request.model_id,
    )


def settings_to_proto(name: str, settings: TrainingSettings, subset: TrainingSubset | None) -> pb.TrainingRecipe:
    """The settings as a recipe with all fields set; a queued one is repeated by a later version as it was asked for."""
    message = recipe_to_proto(pb.TrainingRecipe, {"recipe": name, **asdict(settings)}, field="recipe")
    if subset is not None:
        message.subset.CopyFrom(subset_to_proto(subset))
    return message


def recipe_description_to_proto(recipe: Recipe) -> pb.TrainingRecipeDescription:
    """A recipe and what it is for."""
    return pb.TrainingRecipeDescription(
        recipe=settings_to_proto(recipe.name, recipe.settings, recipe.subset), description=recipe.description
    )
