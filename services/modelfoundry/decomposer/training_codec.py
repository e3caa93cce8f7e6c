"""Requests of the training service as domain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from modelfoundry.api.decomposer.v1 import training_service_pb2 as pb
from modelfoundry.artifacts.requests import architecture_from_proto, device_from_proto, validation_from_proto
from modelfoundry.core.training import TrainingSettings
from modelfoundry.decomposer.codec import augmentation_from_proto
from modelfoundry.decomposer.training import TrainingRequest
from modelfoundry.names import check_id, parse_name, parse_parent

_PLAIN = ("epochs", "batch_size", "lr", "momentum", "weight_decay")


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
        settings=_settings_from_proto(request.recipe),
        validation=validation_from_proto(request.validation),
        seed=request.seed,
        device=device_from_proto(request.device),
        model_id=request.model_id,
    )


def complete(request: pb.TrainModelRequest, settings: TrainingSettings) -> None:
    """Writes all settings into the request, so that a later version with other defaults repeats it as it was."""
    for name, value in asdict(settings).items():
        if name in _PLAIN:
            setattr(request.recipe, name, value)
    del request.recipe.milestones[:]
    request.recipe.milestones.extend(settings.milestones)


def _settings_from_proto(recipe: pb.TrainingRecipe) -> TrainingSettings:
    given: dict[str, Any] = {field.name: value for field, value in recipe.ListFields() if field.name in _PLAIN}
    if recipe.milestones:
        given["milestones"] = tuple(recipe.milestones)
    if recipe.augmentation:
        given["augmentation"] = augmentation_from_proto(recipe.augmentation, field="recipe.augmentation")
    return TrainingSettings(**given)
