"""Requests of the training service as domain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from modelfoundry.api.decomposer.v1 import training_service_pb2 as pb
from modelfoundry.api.types.v1 import training_pb2
from modelfoundry.core.training import Recipe, ResolvedRecipe, TrainingSettings, resolve_recipe
from modelfoundry.decomposer.codec import AUGMENTATIONS, augmentation_from_proto
from modelfoundry.decomposer.training import TrainingRequest
from modelfoundry.names import check_id, parse_name, parse_parent
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.workbench.requests import architecture_from_proto, device_from_proto, validation_from_proto

_PLAIN: Final = ("epochs", "batch_size", "lr", "momentum", "weight_decay")


def training_from_proto(request: pb.TrainModelRequest) -> TrainingRequest:
    """A request with every setting filled in.

    Raises:
        InvalidField: a name or a setting is malformed or out of range.
    """
    parse_parent(request.parent)
    parse_name(request.dataset, "datasets", field="dataset")
    if request.model_id:
        check_id(request.model_id, field="model_id")
    return TrainingRequest(
        parent=request.parent,
        architecture=architecture_from_proto(request.architecture, field="architecture"),
        dataset=request.dataset,
        recipe=recipe_from_proto(request.recipe, seed=request.seed),
        validation=validation_from_proto(request.validation),
        seed=request.seed,
        device=device_from_proto(request.device),
        model_id=request.model_id,
    )


def recipe_from_proto(recipe: pb.TrainingRecipe, *, seed: int) -> ResolvedRecipe:
    """All settings of a recipe: those that are set, over those of the named recipe.

    Raises:
        InvalidField: no such recipe, or a setting is out of range.
    """
    given: dict[str, Any] = {field.name: value for field, value in recipe.ListFields() if field.name in _PLAIN}
    if recipe.milestones:
        given["milestones"] = tuple(recipe.milestones)
    if recipe.augmentation:
        given["augmentation"] = augmentation_from_proto(recipe.augmentation, field="recipe.augmentation")
    subset = {field.name: value for field, value in recipe.subset.ListFields()} if recipe.HasField("subset") else None
    return resolve_recipe(recipe.recipe, given, subset, seed=seed)


def recipe_to_proto(name: str, settings: TrainingSettings, subset: TrainingSubset | None) -> pb.TrainingRecipe:
    """The settings as a recipe with all fields set; a queued one is repeated by a later version as it was asked for."""
    return pb.TrainingRecipe(
        recipe=name,
        subset=None if subset is None else training_pb2.TrainingSubset(**asdict(subset)),
        milestones=settings.milestones,
        augmentation=AUGMENTATIONS[settings.augmentation],
        **{field: value for field, value in asdict(settings).items() if field in _PLAIN},
    )


def recipe_description_to_proto(recipe: Recipe) -> pb.TrainingRecipeDescription:
    """A recipe and what it is for."""
    return pb.TrainingRecipeDescription(
        recipe=recipe_to_proto(recipe.name, recipe.settings, recipe.subset), description=recipe.description
    )
