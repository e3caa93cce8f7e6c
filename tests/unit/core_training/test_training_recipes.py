"""Recipes of training: what they name, and how settings are put over them."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry.core.training import TrainingSettings, resolve_recipe
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import TrainingSubset


def test_the_default_recipe_trains_on_everything() -> None:
    recipe = resolve_recipe("", {}, None, seed=3)

    assert (recipe.name, recipe.settings, recipe.subset) == ("default", TrainingSettings(), None)


def test_the_weak_recipe_is_the_papers() -> None:
    recipe = resolve_recipe("weak", {}, None, seed=3)

    assert recipe.settings == TrainingSettings(
        epochs=200,
        batch_size=128,
        lr=0.01,
        momentum=0.9,
        weight_decay=1e-4,
        milestones=(60, 120),
        augmentation="crop_flip",
    )
    assert recipe.subset == TrainingSubset(concentration=1.0, minimum_samples=0, seed=3)


@pytest.mark.parametrize(
    ("overrides", "milestones"),
    [
        ({"epochs": 10}, (3, 6)),
        ({"epochs": 3}, (1,)),
        ({"epochs": 1}, ()),
        ({"epochs": 10, "milestones": (9,)}, (9,)),
    ],
    ids=["scaled", "short", "one epoch", "given"],
)
def test_milestones_follow_the_epochs_unless_they_are_given(
    overrides: dict[str, Any], milestones: tuple[int, ...]
) -> None:
    assert resolve_recipe("weak", overrides, None, seed=0).settings.milestones == milestones


def test_a_subset_is_put_over_that_of_the_recipe() -> None:
    weak = resolve_recipe("weak", {}, {"concentration": 0.5, "seed": 8}, seed=3)
    default = resolve_recipe("default", {}, {"minimum_samples": 5}, seed=3)

    assert weak.subset == TrainingSubset(concentration=0.5, seed=8)
    assert default.subset == TrainingSubset(concentration=1.0, minimum_samples=5, seed=3)


def test_a_subset_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidField) as refused:
        resolve_recipe("weak", {}, {"concentration": 2000.0}, seed=3)
    assert refused.value.field == "recipe.subset.concentration"


def test_an_unknown_recipe_is_refused_with_a_near_one() -> None:
    with pytest.raises(InvalidField, match="no recipe 'week'") as refused:
        resolve_recipe("week", {}, None, seed=0)
    assert refused.value.field == "recipe.recipe"
    assert refused.value.hint == "did you mean weak?"
