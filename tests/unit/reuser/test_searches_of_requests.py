"""How missing modules are to be searched: by a recipe as a message, or by name and settings, for any algorithm."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import recipe_pb2
from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.types.v1 import exports_pb2
from modelfoundry.reuser.on_demand.decompositions import in_terms_of_the_request
from modelfoundry.reuser.on_demand.wanted import WantedModules, wanted_from_proto
from modelfoundry.values.algorithms import Search
from modelfoundry.wire.decomposing import ALGORITHM_NAMES, finds_all_labels


def wanted(algorithm: str = "", settings: dict[str, Any] | None = None, **said: Any) -> WantedModules:
    request = pb.RequestModulesRequest(parent="projects/p", labels=["cat"], **said)
    request.constraints.algorithm = algorithm
    if settings is not None:
        request.settings.update(settings)
    return wanted_from_proto(request)


SAID: dict[str, tuple[dict[str, Any], Search, str]] = {
    "nothing": ({}, Search(algorithm="seam"), "settings"),
    "one that can make none": ({"algorithm": "guessing"}, Search(algorithm="seam"), "settings"),
    "a message": (
        {"seam": recipe_pb2.SeamRecipe(epochs=3, augmentation=recipe_pb2.AUGMENTATION_CROP)},
        Search(algorithm="seam", settings={"recipe": "", "epochs": 3, "augmentation": "crop"}),
        "seam",
    ),
    "an empty message": (
        {"gradsplitter": recipe_pb2.GradSplitterRecipe(), "algorithm": "gradsplitter"},
        Search(algorithm="gradsplitter", settings={"recipe": ""}),
        "gradsplitter",
    ),
    "settings of the first": (
        {"settings": {"epochs": 3, "alpha": 0.5}},
        Search(algorithm="seam", settings={"epochs": 3, "alpha": 0.5}),
        "settings",
    ),
    "settings by name": (
        {"algorithm": "magnitude", "settings": {"retention": 0.5, "recipe": "baseline"}},
        Search(algorithm="magnitude", settings={"retention": 0.5, "recipe": "baseline"}),
        "settings",
    ),
}


@pytest.mark.parametrize(("said", "search", "field"), SAID.values(), ids=SAID.keys())
def test_a_search_is_what_was_said(said: dict[str, Any], search: Search, field: str) -> None:
    found = wanted(**said)
    assert (found.search, found.settings_field) == (search, field)


@pytest.mark.parametrize("algorithm", ALGORITHM_NAMES)
def test_every_algorithm_of_the_contract_can_be_wanted(algorithm: str) -> None:
    found = wanted(algorithm)
    assert found.search == Search(algorithm=algorithm)
    assert found.jointly is finds_all_labels(algorithm)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another's message": ({"algorithm": "gradsplitter", "seam": recipe_pb2.SeamRecipe()}, "seam"),
    "said twice": ({"seam": recipe_pb2.SeamRecipe(), "settings": {"epochs": 3}}, "settings"),
    "of one that can make none": ({"algorithm": "guessing", "settings": {"epochs": 3}}, "settings"),
    "another's setting": ({"algorithm": "magnitude", "settings": {"alpha": 3}}, "settings.alpha"),
    "half an epoch": ({"settings": {"epochs": 3.5}}, "settings.epochs"),
    "no such word": ({"settings": {"augmentation": "turn"}}, "settings.augmentation"),
}


@pytest.mark.parametrize(("said", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_what_contradicts_or_is_not_there_is_refused(said: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        wanted(**said)
    assert caught.value.field == field
    assert caught.value.hint


@pytest.mark.parametrize(
    ("said", "field"),
    [({"seam": recipe_pb2.SeamRecipe(epochs=0)}, "seam.epochs"), ({"settings": {"epochs": 0}}, "settings.epochs")],
    ids=["message", "settings"],
)
def test_what_the_decomposer_refuses_is_named_as_it_was_said(said: dict[str, Any], field: str) -> None:
    error = errors.InvalidField("seam.recipe.epochs: 0 is out of range", field="seam.recipe.epochs", hint="give more")
    told = in_terms_of_the_request(error, wanted(**said))
    assert isinstance(told, errors.InvalidField)
    assert (told.field, told.hint) == (field, "give more")
    assert told.message.startswith(f"{field}: ")
    other = errors.InvalidField("dataset: no", field="dataset", hint="another")
    assert in_terms_of_the_request(other, wanted(**said)) is other


BUDGETS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "multiply-accumulates": ({"max_macs": 0.2}, {}, {"max_macs": 0.2}),
    "everything": (
        {"max_macs": 0.2, "max_latency": 0.5, "max_bytes": 65_536, "min_accuracy": 0.95},
        {},
        {"max_macs": 0.2, "max_latency": 0.5, "max_bytes": 65_536, "min_accuracy": "0.95"},
    ),
    "as good as the base": (
        {"max_latency": 0.5, "min_accuracy_of_base": True},
        {},
        {"max_latency": 0.5, "min_accuracy": "base"},
    ),
    "the form of the files": (
        {"max_macs": 0.2},
        {"format": reuser_service_pb2.EXPORT_FORMAT_ONNX, "weights": exports_pb2.WEIGHT_FORMAT_FP16},
        {"max_macs": 0.2, "weights": "fp16", "compute": "fp32"},
    ),
    "settings beside": (
        {"max_macs": 0.2},
        {"settings": {"recipe": "preview"}},
        {"max_macs": 0.2, "recipe": "preview"},
    ),
}


@pytest.mark.parametrize(("constraints", "said", "settings"), BUDGETS.values(), ids=BUDGETS.keys())
def test_what_masks_cannot_give_is_searched_within_the_budgets(
    constraints: dict[str, Any], said: dict[str, Any], settings: dict[str, Any]
) -> None:
    for algorithm in ("", "specialise"):
        search = wanted(algorithm, constraints=constraints, **said).search
        assert (search.algorithm, search.settings) == ("specialise", settings)


def test_budgets_are_no_settings_of_what_has_none() -> None:
    search = wanted("seam", constraints={"max_macs": 0.2, "min_accuracy": 0.9}).search
    assert search == Search(algorithm="seam")
    assert wanted(constraints={"max_bytes": 1000, "min_accuracy_of_base": True}).search == Search(algorithm="seam")


@pytest.mark.parametrize(
    ("constraints", "said", "field"),
    [
        ({"max_macs": 1.5}, {}, "constraints.max_macs"),
        ({"max_macs": -0.1}, {}, "constraints.max_macs"),
        ({"max_latency": float("nan")}, {}, "constraints.max_latency"),
        ({"min_accuracy": 0.9, "min_accuracy_of_base": True}, {}, "constraints.min_accuracy"),
        ({"max_macs": 0.5}, {"settings": {"max_macs": 0.4}}, "settings.max_macs"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(constraints: dict[str, Any], said: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        wanted(constraints=constraints, **said)
    assert caught.value.field == field
    assert caught.value.hint


@pytest.mark.parametrize(
    ("constraints", "setting", "field"),
    [
        ({"max_macs": 0.2}, "max_macs", "constraints.max_macs"),
        ({"max_macs": 0.2, "min_accuracy_of_base": True}, "min_accuracy", "constraints.min_accuracy_of_base"),
        ({"max_macs": 0.2, "min_accuracy": 0.9}, "min_accuracy", "constraints.min_accuracy"),
        ({"max_macs": 0.2}, "seconds", "settings.seconds"),
    ],
)
def test_a_budget_that_nothing_meets_is_named_as_it_was_said(
    constraints: dict[str, Any], setting: str, field: str
) -> None:
    path = f"specialise.recipe.{setting}"
    error = errors.ConstraintUnmet(f"{path}: no structure meets the budget", field=path, hint="allow more")
    told = in_terms_of_the_request(error, wanted(constraints=constraints))
    assert isinstance(told, errors.ConstraintUnmet)
    assert (told.field, told.message) == (field, f"{field}: no structure meets the budget")
