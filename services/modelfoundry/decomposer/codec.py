"""Requests of the decomposer as domain values, and recipes as messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.api.decomposer.v1 import recipe_pb2
from modelfoundry.decomposer.algorithms import gradsplitter
from modelfoundry.decomposer.algorithms.gradsplitter import GradSplitterSettings
from modelfoundry.decomposer.algorithms.seam import Recipe, SeamSettings, resolve_recipe
from modelfoundry.decomposer.plan import DecompositionRequest
from modelfoundry.decomposer.split_plan import SplitRequest
from modelfoundry.errors import InvalidField
from modelfoundry.names import check_id, parse_name, parse_parent
from modelfoundry.workbench.requests import device_from_proto, problem_from_proto, validation_from_proto

_PLAIN: Final = frozenset({"epochs", "head_epoch_every", "batch_size", "lr_head", "lr_mask", "alpha", "patience"})
INITIAL_MASKS: Final = {"ones": recipe_pb2.INITIAL_MASKS_ONES}
AUGMENTATIONS: Final = {
    "none": recipe_pb2.AUGMENTATION_NONE,
    "crop": recipe_pb2.AUGMENTATION_CROP,
    "crop_flip": recipe_pb2.AUGMENTATION_CROP_FLIP,
}


def decomposition_from_proto(request: pb.DecomposeRequest) -> DecompositionRequest:
    """A request with every setting filled in from its recipe.

    Raises:
        InvalidField: a name, a setting or the algorithm is malformed or missing.
    """
    _check_names(request)
    if request.WhichOneof("algorithm") != "seam":
        raise InvalidField("algorithm: none is set", field="seam", hint="set `seam` or `gradsplitter`")
    return DecompositionRequest(
        parent=request.parent,
        model=request.model,
        dataset=request.dataset,
        problem=problem_from_proto(request.seam.problem, field="seam.problem"),
        settings=settings_from_proto(request.seam.recipe),
        validation=validation_from_proto(request.validation),
        seed=request.seed,
        device=device_from_proto(request.device),
        module_id=request.module_id,
        force=request.force,
    )


def split_from_proto(request: pb.DecomposeRequest) -> SplitRequest:
    """A request for all modules of a model, with every setting filled in from its recipe.

    Raises:
        InvalidField: a name or a setting is malformed or missing.
    """
    _check_names(request)
    return SplitRequest(
        parent=request.parent,
        model=request.model,
        dataset=request.dataset,
        label_groups=tuple(tuple(group.labels) for group in request.gradsplitter.label_groups),
        settings=split_settings_from_proto(request.gradsplitter.recipe),
        validation=validation_from_proto(request.validation),
        seed=request.seed,
        device=device_from_proto(request.device),
        module_id=request.module_id,
        force=request.force,
    )


def _check_names(request: pb.DecomposeRequest) -> None:
    parse_parent(request.parent)
    parse_name(request.model, "models", field="model")
    parse_name(request.dataset, "datasets", field="dataset")
    if request.module_id:
        check_id(request.module_id, field="module_id")


def split_settings_from_proto(recipe: recipe_pb2.GradSplitterRecipe) -> GradSplitterSettings:
    """All settings of a recipe: those that are set, over those of the named recipe.

    Raises:
        InvalidField: no such recipe, or a setting is out of range.
    """
    overrides = {field.name: value for field, value in recipe.ListFields() if field.name != "recipe"}
    return gradsplitter.resolve_recipe(recipe.recipe, overrides)


def split_settings_to_proto(settings: GradSplitterSettings) -> recipe_pb2.GradSplitterRecipe:
    """The settings as a recipe with all fields set."""
    return recipe_pb2.GradSplitterRecipe(**asdict(settings))


def split_recipe_to_proto(recipe: gradsplitter.Recipe) -> pb.GradSplitterRecipeDescription:
    """A recipe of GradSplitter and what it is for."""
    return pb.GradSplitterRecipeDescription(
        recipe=split_settings_to_proto(recipe.settings), description=recipe.description
    )


def settings_from_proto(recipe: recipe_pb2.SeamRecipe) -> SeamSettings:
    """All settings of a recipe: those that are set, over those of the named recipe.

    Raises:
        InvalidField: no such recipe, or a setting is out of range.
    """
    overrides: dict[str, object] = {field.name: value for field, value in recipe.ListFields() if field.name in _PLAIN}
    if recipe.initial_masks:
        overrides["initial_masks"] = _known(INITIAL_MASKS, recipe.initial_masks, "seam.recipe.initial_masks")
    if recipe.augmentation:
        overrides["augmentation"] = augmentation_from_proto(recipe.augmentation, field="seam.recipe.augmentation")
    return resolve_recipe(recipe.recipe, overrides)


def augmentation_from_proto(augmentation: int, *, field: str) -> str:
    """The core's name of an augmentation.

    Raises:
        InvalidField: a number that none has.
    """
    return _known(AUGMENTATIONS, augmentation, field)


def settings_to_proto(settings: SeamSettings) -> recipe_pb2.SeamRecipe:
    """The settings as a recipe with all fields set."""
    return recipe_pb2.SeamRecipe(
        recipe=settings.recipe,
        initial_masks=INITIAL_MASKS[settings.initial_masks],
        epochs=settings.epochs,
        head_epoch_every=settings.head_epoch_every,
        batch_size=settings.batch_size,
        lr_head=settings.lr_head,
        lr_mask=settings.lr_mask,
        alpha=settings.alpha,
        patience=settings.patience,
        augmentation=AUGMENTATIONS[settings.augmentation],
    )


def recipe_to_proto(recipe: Recipe) -> pb.RecipeDescription:
    """A recipe and what it is for."""
    return pb.RecipeDescription(recipe=settings_to_proto(recipe.settings), description=recipe.description)


def _known(numbers: Mapping[str, int], number: int, field: str) -> str:
    for name, known in numbers.items():
        if known == number:
            return name
    raise InvalidField(
        f"{field}: no value has number {number}", field=field, hint=f"this version knows {', '.join(numbers)}"
    )
