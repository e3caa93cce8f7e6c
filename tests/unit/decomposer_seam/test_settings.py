"""Recipes and their settings."""

from __future__ import annotations

import pytest

from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.seam.recipes import RECIPES
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.errors import InvalidField


def test_the_papers_recipe_is_the_published_one() -> None:
    assert SEAM.resolve("paper", {}) == SeamSettings(
        recipe="paper",
        initial_masks="ones",
        epochs=300,
        head_epoch_every=5,
        batch_size=64,
        lr_head=0.1,
        lr_mask=0.05,
        alpha=1.0,
        patience=0,
        augmentation="crop_flip",
    )


def test_settings_replace_those_of_the_recipe() -> None:
    settings = SEAM.resolve("paper", {"epochs": 7, "alpha": 0.0})
    assert (settings.recipe, settings.epochs, settings.alpha, settings.lr_head) == ("paper", 7, 0.0, 0.1)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_knows_its_name_and_is_described(name: str) -> None:
    assert RECIPES[name].settings.recipe == name
    assert RECIPES[name].description.endswith(".")


def test_one_epoch_in_five_trains_the_head_alone_beginning_with_the_first() -> None:
    settings = SeamSettings()
    assert [epoch for epoch in range(12) if not settings.trains_masks(epoch)] == [0, 5, 10]
    assert all(SeamSettings(head_epoch_every=0).trains_masks(epoch) for epoch in range(12))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 10_001),
        ("head_epoch_every", -1),
        ("head_epoch_every", 1),
        ("batch_size", 0),
        ("batch_size", 4097),
        ("lr_head", 0.0),
        ("lr_head", float("nan")),
        ("lr_mask", float("inf")),
        ("lr_mask", -0.1),
        ("alpha", -1.0),
        ("patience", -1),
        ("augmentation", "rotate"),
        ("initial_masks", "random"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidField) as caught:
        SEAM.resolve("paper", {field: value})
    assert caught.value.field == f"seam.recipe.{field}"
    assert caught.value.hint


def test_unknown_recipes_and_settings_are_answered_with_near_names() -> None:
    with pytest.raises(InvalidField) as caught:
        SEAM.resolve("papre", {})
    assert "paper" in caught.value.hint
    with pytest.raises(InvalidField) as caught:
        SEAM.resolve("paper", {"epoch": 3})
    assert "epochs" in caught.value.hint
    with pytest.raises(InvalidField):
        SEAM.resolve("paper", {"recipe": "other"})
