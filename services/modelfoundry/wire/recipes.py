"""Recipes. None in a value is an unset field on the wire."""

from __future__ import annotations

from dataclasses import asdict

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, recipe_pb2, training_service_pb2
from modelfoundry.values.recipes import (
    Augmentation,
    GradSplitterRecipe,
    GradSplitterRecipeDescription,
    InitialMasks,
    RecipeDescription,
    SeamRecipe,
    TrainingRecipe,
    TrainingRecipeDescription,
)
from modelfoundry.wire.computing import subset_from_proto, subset_to_proto
from modelfoundry.wire.enums import enum_from_proto, enum_to_proto


def seam_recipe_to_proto(recipe: SeamRecipe) -> recipe_pb2.SeamRecipe:
    """Value to message."""
    return recipe_pb2.SeamRecipe(
        recipe=recipe.recipe,
        initial_masks=enum_to_proto(recipe_pb2.InitialMasks, "INITIAL_MASKS", recipe.initial_masks),
        epochs=recipe.epochs,
        head_epoch_every=recipe.head_epoch_every,
        batch_size=recipe.batch_size,
        lr_head=recipe.lr_head,
        lr_mask=recipe.lr_mask,
        alpha=recipe.alpha,
        patience=recipe.patience,
        augmentation=enum_to_proto(recipe_pb2.Augmentation, "AUGMENTATION", recipe.augmentation),
    )


def seam_recipe_from_proto(message: recipe_pb2.SeamRecipe) -> SeamRecipe:
    """Message to value."""
    return SeamRecipe(
        recipe=message.recipe,
        initial_masks=enum_from_proto(recipe_pb2.InitialMasks, "INITIAL_MASKS", message.initial_masks, InitialMasks),
        epochs=message.epochs if message.HasField("epochs") else None,
        head_epoch_every=message.head_epoch_every if message.HasField("head_epoch_every") else None,
        batch_size=message.batch_size if message.HasField("batch_size") else None,
        lr_head=message.lr_head if message.HasField("lr_head") else None,
        lr_mask=message.lr_mask if message.HasField("lr_mask") else None,
        alpha=message.alpha if message.HasField("alpha") else None,
        patience=message.patience if message.HasField("patience") else None,
        augmentation=enum_from_proto(recipe_pb2.Augmentation, "AUGMENTATION", message.augmentation, Augmentation),
    )


def gradsplitter_recipe_to_proto(recipe: GradSplitterRecipe) -> recipe_pb2.GradSplitterRecipe:
    """Value to message."""
    return recipe_pb2.GradSplitterRecipe(**asdict(recipe))


def gradsplitter_recipe_from_proto(message: recipe_pb2.GradSplitterRecipe) -> GradSplitterRecipe:
    """Message to value."""
    given = {descriptor.name: value for descriptor, value in message.ListFields()}
    return GradSplitterRecipe(**{"recipe": "", **given})


def gradsplitter_recipe_description_from_proto(
    message: decomposer_service_pb2.GradSplitterRecipeDescription,
) -> GradSplitterRecipeDescription:
    """Message to value."""
    return GradSplitterRecipeDescription(gradsplitter_recipe_from_proto(message.recipe), message.description)


def recipe_description_from_proto(message: decomposer_service_pb2.RecipeDescription) -> RecipeDescription:
    """Message to value."""
    return RecipeDescription(seam_recipe_from_proto(message.recipe), message.description)


def training_recipe_to_proto(recipe: TrainingRecipe) -> training_service_pb2.TrainingRecipe:
    """Value to message."""
    return training_service_pb2.TrainingRecipe(
        recipe=recipe.recipe,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        milestones=recipe.milestones,
        augmentation=enum_to_proto(recipe_pb2.Augmentation, "AUGMENTATION", recipe.augmentation),
        subset=None if recipe.subset is None else subset_to_proto(recipe.subset),
    )


def training_recipe_from_proto(message: training_service_pb2.TrainingRecipe) -> TrainingRecipe:
    """Message to value."""
    return TrainingRecipe(
        recipe=message.recipe,
        epochs=message.epochs if message.HasField("epochs") else None,
        batch_size=message.batch_size if message.HasField("batch_size") else None,
        lr=message.lr if message.HasField("lr") else None,
        momentum=message.momentum if message.HasField("momentum") else None,
        weight_decay=message.weight_decay if message.HasField("weight_decay") else None,
        milestones=tuple(message.milestones),
        augmentation=enum_from_proto(recipe_pb2.Augmentation, "AUGMENTATION", message.augmentation, Augmentation),
        subset=subset_from_proto(message.subset) if message.HasField("subset") else None,
    )


def training_recipe_description_from_proto(
    message: training_service_pb2.TrainingRecipeDescription,
) -> TrainingRecipeDescription:
    """Message to value."""
    return TrainingRecipeDescription(training_recipe_from_proto(message.recipe), message.description)
