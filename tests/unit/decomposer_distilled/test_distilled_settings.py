"""The recipe by name, with settings of its own."""

from __future__ import annotations

import pytest

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.decomposer.requests import decomposition_from_proto
from modelfoundry.errors import InvalidField
from modelfoundry.values.recipes import SeamRecipe
from modelfoundry.wire.recipes import SEAM_RECIPE


def test_the_recipe_is_the_default_and_the_paper_s_is_known_by_name() -> None:
    assert SEAM.resolve("", {}) == SEAM.resolve("distilled", {}) == DistilledSettings()
    assert SEAM.resolve("paper", {}) == SeamSettings()
    assert next(iter(SEAM.recipes)) == "distilled"


def test_a_setting_of_the_paper_s_without_its_name_is_refused_with_how_to_name_it() -> None:
    for field in ("epochs", "alpha", "lr_head"):
        with pytest.raises(InvalidField, match="no such setting of the recipe 'distilled'") as caught:
            SEAM.resolve("", {field: 1})
        assert "--recipe paper" in str(caught.value.hint)
    with pytest.raises(InvalidField) as caught:
        SEAM.resolve("", {"epoch": 1})
    assert "--recipe" not in str(caught.value.hint)


def test_settings_replace_those_of_the_recipe() -> None:
    settings = SEAM.resolve("distilled", {"retention": 0.05, "batch_size": 32})
    assert settings.record() == {
        "recipe": "distilled",
        "retention": 0.05,
        "steps": 0,
        "batch_size": 32,
        "lr_mask": 0.003,
        "lr_norm": 0.01,
        "hard_negatives": 0.5,
        "temperature": 8.0,
        "augmentation": "auto",
        "precision": "auto",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retention", 0.0),
        ("retention", -0.1),
        ("retention", 1.01),
        ("hard_negatives", -0.1),
        ("hard_negatives", 1.1),
        ("hard_negatives", float("nan")),
        ("retention", float("nan")),
        ("steps", -1),
        ("steps", 1_000_001),
        ("batch_size", 1),
        ("batch_size", 4097),
        ("lr_mask", 0.0),
        ("lr_norm", -1.0),
        ("temperature", 0.0),
        ("temperature", float("inf")),
        ("augmentation", "rotate"),
        ("precision", "float16"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidField) as caught:
        SEAM.resolve("distilled", {field: value})
    assert caught.value.field == f"seam.recipe.{field}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("recipe", "field"), [("distilled", "epochs"), ("distilled", "alpha"), ("paper", "retention"), ("paper", "steps")]
)
def test_a_setting_of_another_recipe_is_refused_with_the_recipe_s_name(recipe: str, field: str) -> None:
    with pytest.raises(InvalidField, match=f"no such setting of the recipe '{recipe}'") as caught:
        SEAM.resolve(recipe, {field: 1})
    assert caught.value.field == f"seam.recipe.{field}"


def test_a_request_that_names_no_recipe_is_one_for_this() -> None:
    asked = decomposer_service_pb2.DecomposeRequest(
        parent="projects/p", model="projects/p/models/m", dataset="projects/p/datasets/d"
    )
    asked.seam.problem.binary.label = "cat"
    assert decomposition_from_proto(asked).settings == DistilledSettings()
    asked.seam.recipe.CopyFrom(SEAM_RECIPE.to_proto(SeamRecipe(retention=0.05)))
    assert decomposition_from_proto(asked).settings == DistilledSettings(retention=0.05)
    asked.seam.recipe.CopyFrom(SEAM_RECIPE.to_proto(SeamRecipe(recipe="paper", epochs=9)))
    assert decomposition_from_proto(asked).settings == SeamSettings(epochs=9)
