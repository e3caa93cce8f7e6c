"""The algorithms and their recipes as clients are told of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.problems import KINDS
from modelfoundry.decomposer.algorithms.settings import Setting
from modelfoundry.values.algorithms import AlgorithmDescription, NamedSettings, SettingDescription, SettingType
from modelfoundry.wire.decomposing import algorithm_to_proto, recipe_class
from modelfoundry.wire.recipes import recipe_to_proto


def recipes_to_proto(algorithms: Iterable[Algorithm[Any]]) -> pb.ListRecipesResponse:
    """The answer to ListRecipes."""
    response = pb.ListRecipesResponse()
    for algorithm in algorithms:
        _add_typed(response, algorithm)
        response.algorithms.append(algorithm_to_proto(described(algorithm)))
    return response


def described(algorithm: Algorithm[Any]) -> AlgorithmDescription:
    """An algorithm as clients are told of it."""
    return AlgorithmDescription(
        name=algorithm.name,
        version=algorithm.version,
        title=algorithm.title,
        description=algorithm.summary,
        paper=algorithm.paper,
        problems=tuple(KINDS[kind] for kind in algorithm.problems),
        joint=algorithm.joint,
        settings=tuple(map(_described_setting, algorithm.settings)),
        recipes=tuple(
            NamedSettings(name=name, description=recipe.description, settings=recipe.settings.record())
            for name, recipe in algorithm.recipes.items()
        ),
    )


def _described_setting(setting: Setting) -> SettingDescription:
    types = {int: SettingType.WHOLE_NUMBER, float: SettingType.NUMBER, str: SettingType.WORD}
    limits = setting.limits
    common = SettingDescription(
        name=setting.name,
        help=setting.help,
        type=types[setting.type],
        default_value=str(setting.default),
        allowed=setting.allowed,
        choices=setting.choices,
    )
    if limits is None:
        return common
    return replace(
        common,
        minimum=limits.least,
        maximum=limits.most if math.isfinite(limits.most) else None,
        minimum_excluded=limits.above,
        zero_allowed=limits.or_zero,
    )


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
