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


def _outside(setting: SettingDescription) -> list[Any]:
    if setting.type is SettingType.WORD:
        return ["never such a word"]
    least = setting.minimum if setting.minimum_excluded else (setting.minimum or 0) - 1
    return [least, *([] if setting.maximum is None else [setting.maximum + 1]), float("nan"), float("inf")]


@every_algorithm
def test_limits_that_are_told_are_those_that_hold(algorithm: Algorithm[Any]) -> None:
    for setting in described(algorithm).settings:
        having = (name for name, recipe in algorithm.recipes.items() if setting.name in recipe.settings.record())
        recipe = next(having)
        for value in _outside(setting):
            if setting.zero_allowed and value == 0:
                continue
            with pytest.raises(InvalidField) as caught:
                algorithm.resolve(recipe, {setting.name: value})
            assert caught.value.field == f"{algorithm.name}.recipe.{setting.name}"
            assert caught.value.hint == f"give {setting.allowed}"
        for value in setting.choices:
            algorithm.resolve(recipe, {setting.name: value})


def test_recipes_are_listed_as_messages_of_their_own_too() -> None:
    response = recipes_to_proto(ALGORITHMS)
    assert [(one.recipe.recipe, one.recipe.epochs) for one in response.recipes] == [("paper", 300), ("distilled", 0)]
    assert [one.recipe.HasField("retention") for one in response.recipes] == [False, True]
    assert [one.recipe.cycles for one in response.gradsplitter_recipes] == [20]
