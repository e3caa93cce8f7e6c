"""Recipes: settings by name. What is not named is an unset field on the wire, and the recipe's own.

Enums are words here: `AUGMENTATION_CROP_FLIP` on the wire is `crop_flip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, recipe_pb2, training_service_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.values.recipes import (
    GradSplitterRecipe,
    GradSplitterRecipeDescription,
    RecipeDescription,
    SeamRecipe,
    TrainingRecipe,
    TrainingRecipeDescription,
)
from modelfoundry.wire.computing import SUBSET
from modelfoundry.wire.enums import names_of
from modelfoundry.wire.pairs import Pair

RecipeMessage = TypeVar("RecipeMessage", bound=Message)

SEAM_RECIPE = Pair(SeamRecipe, recipe_pb2.SeamRecipe)
GRADSPLITTER_RECIPE = Pair(GradSplitterRecipe, recipe_pb2.GradSplitterRecipe)
TRAINING_RECIPE = Pair(TrainingRecipe, training_service_pb2.TrainingRecipe, SUBSET)
training_recipe_to_proto = TRAINING_RECIPE.to_proto

SEAM_DESCRIPTION = Pair(RecipeDescription, decomposer_service_pb2.RecipeDescription, SEAM_RECIPE)
GRADSPLITTER_DESCRIPTION = Pair(
    GradSplitterRecipeDescription, decomposer_service_pb2.GradSplitterRecipeDescription, GRADSPLITTER_RECIPE
)
TRAINING_DESCRIPTION = Pair(TrainingRecipeDescription, training_service_pb2.TrainingRecipeDescription, TRAINING_RECIPE)
recipe_description_from_proto = SEAM_DESCRIPTION.from_proto
gradsplitter_recipe_description_from_proto = GRADSPLITTER_DESCRIPTION.from_proto
training_recipe_description_from_proto = TRAINING_DESCRIPTION.from_proto


def given_settings(recipe: Message, *, field: str) -> dict[str, Any]:
    """The settings that a recipe names, apart from its own name: numbers, words, tuples of numbers.

    Args:
        recipe: A recipe of any algorithm, or of training.
        field: Its path in the request.

    Raises:
        InvalidField: an enum has a number that this version does not know.
    """
    given: dict[str, Any] = {}
    for descriptor, value in recipe.ListFields():
        if descriptor.message_type is None and descriptor.name != "recipe":
            given[descriptor.name] = _from_wire(descriptor, value, f"{field}.{descriptor.name}")
    return given


def recipe_to_proto(kind: type[RecipeMessage], settings: Mapping[str, Any], *, field: str) -> RecipeMessage:
    """A recipe of these settings.

    Args:
        kind: Message of the recipe.
        settings: Setting to value; `recipe` names the recipe that the others come from.
        field: Path of the recipe in the request.

    Raises:
        InvalidField: there is no such setting, or a value is none that it can have.
    """
    message = kind()
    known: Mapping[str, Any] = kind.DESCRIPTOR.fields_by_name
    for name, value in settings.items():
        path = f"{field}.{shortened(name)}"
        if name not in known:
            similar = near(name, known)
            raise InvalidField(
                f"{path}: there is no such setting",
                field=path,
                hint=f"did you mean {', '.join(similar)}?" if similar else f"use one of {', '.join(known)}",
            )
        wire = _to_wire(known[name], value, path)
        try:
            if isinstance(value, tuple | list):
                getattr(message, name).extend(wire)
            else:
                setattr(message, name, wire)
        except (TypeError, ValueError) as error:
            raise InvalidField(
                f"{path}: {shortened(str(value))!r} is no value of it", field=path, hint="give a number or a word"
            ) from error
    return message


def named_settings(recipe: SeamRecipe | GradSplitterRecipe | TrainingRecipe) -> dict[str, Any]:
    """What a recipe as a value says, its name among it."""
    return {name: value for name, value in asdict(recipe).items() if value is not None}


def _from_wire(descriptor: FieldDescriptor, value: Any, path: str) -> Any:
    if descriptor.enum_type is None:
        return value if isinstance(value, int | float | str) else tuple(value)
    for number, word in _words(descriptor.enum_type).items():
        if number == value:
            return word
    known = ", ".join(_words(descriptor.enum_type).values())
    raise InvalidField(f"{path}: no value has number {value}", field=path, hint=f"this version knows {known}")


def _to_wire(descriptor: FieldDescriptor, value: Any, path: str) -> Any:
    if descriptor.enum_type is None:
        return value
    for number, word in _words(descriptor.enum_type).items():
        if word == value:
            return number
    words = ", ".join(_words(descriptor.enum_type).values())
    raise InvalidField(
        f"{path}: {shortened(str(value))!r} is not one of {words}", field=path, hint=f"give one of {words}"
    )


def _words(enum: EnumDescriptor) -> dict[int, str]:
    """Number to word of every member but the unspecified one."""
    return {number: name.lower() for name, number in names_of(enum).items()}
