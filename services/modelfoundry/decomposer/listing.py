"""The algorithms and their recipes as clients are told of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.wire.decomposing import recipe_class
from modelfoundry.wire.recipes import recipe_to_proto


def recipes_to_proto(algorithms: Iterable[Algorithm[Any]]) -> pb.ListRecipesResponse:
    """The answer to ListRecipes."""
    response = pb.ListRecipesResponse()
    for algorithm in algorithms:
        _add_typed(response, algorithm)
    return response


def _add_typed(response: pb.ListRecipesResponse, algorithm: Algorithm[Any]) -> None:
    """Adds recipes as messages of their own, where the contract has a list of them."""
    kind = recipe_class(algorithm.name)
    fields: Iterable[Any] = response.DESCRIPTOR.fields
    for field in fields:
        listed = field.message_type.fields_by_name.get("recipe")
        if listed is not None and listed.message_type is kind.DESCRIPTOR:
            for recipe in algorithm.recipes.values():
                message = recipe_to_proto(kind, recipe.settings.record(), field=recipe.settings.path)
                getattr(response, field.name).add(recipe=message, description=recipe.description)
