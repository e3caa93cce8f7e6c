"""What clients are told of algorithms is what algorithms take, and what the contract has fields for."""

from __future__ import annotations

from typing import Any

import pytest
from asked_decompositions import every_algorithm

from modelfoundry.decomposer.algorithms import ALGORITHMS
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.listing import described, recipes_to_proto
from modelfoundry.errors import InvalidField
from modelfoundry.values.algorithms import SettingDescription, SettingType
from modelfoundry.wire.decomposing import ALGORITHM_NAMES, algorithm_from_proto, finds_all_labels, recipe_class


def test_the_contract_and_the_list_know_the_same_algorithms_in_the_same_order() -> None:
    assert tuple(algorithm.name for algorithm in ALGORITHMS) == ALGORITHM_NAMES


@every_algorithm
def test_the_contract_has_a_field_for_every_setting_and_no_other(algorithm: Algorithm[Any]) -> None:
    known = set(recipe_class(algorithm.name).DESCRIPTOR.fields_by_name)
    assert {"recipe", *(setting.name for setting in algorithm.settings)} == known
    assert finds_all_labels(algorithm.name) is algorithm.joint


@every_algorithm
def test_everything_that_is_told_comes_over_the_wire(algorithm: Algorithm[Any]) -> None:
    listed = {one.name: algorithm_from_proto(one) for one in recipes_to_proto(ALGORITHMS).algorithms}
    told = listed[algorithm.name]
    assert told == described(algorithm)
    assert told.title
    assert told.paper
    assert all(setting.help.endswith(".") and setting.allowed for setting in told.settings)
    assert [recipe.settings["recipe"] for recipe in told.recipes] == list(algorithm.recipes)


def _inside(told: SettingDescription) -> list[Any]:
    edges = [None if told.minimum_excluded else told.minimum, told.maximum, 0 if told.zero_allowed else None]
    return [*told.choices, *(edge for edge in edges if edge is not None)]


def _outside(told: SettingDescription) -> list[Any]:
    if told.type is SettingType.WORD:
        return ["never such a word"]
    least, most = told.minimum or 0, told.maximum
    edges = [least if told.minimum_excluded else least - 1, -1, *([] if told.zero_allowed or not least else [0])]
    return [*edges, *([] if most is None else [most + 1]), float("nan"), float("inf")]


@every_algorithm
def test_limits_that_are_told_are_those_that_hold(algorithm: Algorithm[Any]) -> None:
    settings = {setting.name: setting for setting in algorithm.settings}
    for told in described(algorithm).settings:
        having = (name for name, recipe in algorithm.recipes.items() if told.name in recipe.settings.record())
        recipe = next(having)
        for value in _inside(told):
            settings[told.name].check(value, algorithm.recipes[recipe].settings.path)
        for value in _outside(told):
            with pytest.raises(InvalidField) as caught:
                algorithm.resolve(recipe, {told.name: value})
            assert caught.value.field == f"{algorithm.name}.recipe.{told.name}"
            assert caught.value.hint == f"give {told.allowed}"


def test_recipes_are_listed_as_messages_of_their_own_too() -> None:
    response = recipes_to_proto(ALGORITHMS)
    assert [(one.recipe.recipe, one.recipe.epochs) for one in response.recipes] == [("distilled", 0), ("paper", 300)]
    assert [one.recipe.HasField("retention") for one in response.recipes] == [True, False]
    assert [one.recipe.cycles for one in response.gradsplitter_recipes] == [20, 0]
    assert [one.recipe.HasField("retention") for one in response.gradsplitter_recipes] == [False, True]
