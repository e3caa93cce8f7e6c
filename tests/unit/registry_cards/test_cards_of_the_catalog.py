"""Cards of what the registry holds: always as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from catalog_rows import CatalogRows, named
from google.protobuf.field_mask_pb2 import FieldMask

from modelfoundry import errors
from modelfoundry.api.registry.v1 import card_service_pb2, module_pb2
from modelfoundry.registry.aliases.aliases import Aliases
from modelfoundry.registry.cards.cards import Cards
from modelfoundry.registry.records.tables import DatasetRow, EvaluationRow, ModelRow, ModuleRow, ResourceRow
from modelfoundry.wire.cards import card_to_proto

Kind = card_service_pb2.CardLimit.Kind
RECORD = {
    "algorithm": "seam",
    "settings": {"alpha": 2.0, "epochs": 20},
    "validation": {"source_split": "train", "fraction": 0.1},
    "validation_accuracy": 0.9,
    "validation_accuracy_base": 0.95,
    "validation_samples": "60",
    "epochs_run": 20,
    "fell_back": True,
    "empty_layers": ["conv2"],
    "environment": {"device": "cpu", "libraries": {"torch": "2.9"}},
}


def _card(rows: CatalogRows, name: str) -> card_service_pb2.Card:
    return card_to_proto(Cards(rows.database).card(name))


def _set(rows: CatalogRows, table: type[ResourceRow], name: str, **columns: Any) -> None:
    with rows.database.session() as session:
        row = session.get_one(table, name)
        for column, value in columns.items():
            setattr(row, column, value)


def _measured(rows: CatalogRows, last: str, accuracy: float, samples: int, **columns: Any) -> None:
    content: Mapping[str, Any] = {
        "scoring": columns.pop("scoring", "SCORING_ALL_OUTPUTS"),
        "sample_count": str(samples),
        **{key: columns.pop(key) for key in ("discrimination", "against_base") if key in columns},
        "classification": {"accuracy": accuracy, "accuracy_interval": {"lower": 0.5, "upper": 1.0, "level": 0.95}},
    }
    _set(rows, EvaluationRow, named("evaluations", last), content=content, accuracy=accuracy, **columns)


@pytest.fixture
def module(rows: CatalogRows) -> str:
    dataset = rows.dataset("pets")
    name = rows.module("cat", rows.model("net", dataset), dataset)
    _set(rows, ModuleRow, name, record=RECORD, labels=["cat"])
    return name


def _kinds(card: card_service_pb2.Card) -> list[str]:
    return [Kind.Name(limit.kind).removeprefix("KIND_") for limit in card.limits]


def test_a_module_says_how_it_was_made_and_what_its_limits_are(rows: CatalogRows, module: str) -> None:
    card = _card(rows, module)

    facts = {fact.name: fact.value for fact in card.facts}
    assert facts["Setting epochs"] == "20"
    assert facts["Validation data"] == "60 samples, 0.1 of train, seed 0"
    assert facts["Validation accuracy"] == (
        "90.00 %, optimistic: it was chosen on these samples, so that others will be answered less well"
    )
    base = "95.00 %, optimistic where it was trained on these samples"
    assert facts["Validation accuracy of the base model"] == base
    assert facts["Libraries"] == "torch 2.9"
    assert list(card.labels) == ["cat", "rest"]
    assert _kinds(card) == [
        *("NOT_TESTED", "FEW_SAMPLES", "FELL_BACK", "LAYERS_KEPT_OPEN", "COST_UNKNOWN"),
        "NO_LICENSE",
    ]
    assert "The search left no kernel in conv2" in card.markdown


def test_a_module_that_was_not_chosen_beside_its_base_does_not_say_the_bases_figure(
    rows: CatalogRows, module: str
) -> None:
    """What it cut may have been memorised; a split that was named for it was not."""
    without: dict[str, Any] = {**RECORD, "fell_back": False, "epochs_run": 0}
    _set(rows, ModuleRow, module, record=without)
    facts = {fact.name: fact.value for fact in _card(rows, module).facts}
    assert facts["Validation accuracy of the base model"].startswith("not compared with")

    _set(rows, ModuleRow, module, record={**without, "calibration_split": "fresh"})
    facts = {fact.name: fact.value for fact in _card(rows, module).facts}
    assert facts["Validation accuracy of the base model"] == "95.00 %"
    assert facts["Validation data"] == "60 samples, split fresh, named as images that the model did not train on"


def test_a_module_no_better_than_chance_has_that_as_a_limit(rows: CatalogRows, module: str) -> None:
    _set(rows, ModuleRow, module, record={**RECORD, "validation_accuracy": 0.5, "validation_samples": 60})
    card = _card(rows, module)
    assert _kinds(card)[:4] == ["NOT_TESTED", "FEW_SAMPLES", "NO_BETTER_THAN_CHANCE", "LESS_ACCURATE"]
    assert "no better than chance: 50.0 % on 60 samples" in card.markdown


def test_a_card_tells_a_modules_own_figure_from_that_of_all_together(rows: CatalogRows, module: str) -> None:
    name = "Joint validation accuracy, of all modules together on all labels"
    older: dict[str, Any] = {**RECORD, "settings": {"label_groups": [["cat"], ["dog"]]}}
    _set(rows, ModuleRow, module, record=older)
    assert {fact.name: fact.value for fact in _card(rows, module).facts}[name].startswith("the figures above")

    joint = {"accuracy": 0.7, "accuracy_base": 0.8, "samples": "130"}
    _set(rows, ModuleRow, module, record={**older, "joint": joint})
    card = _card(rows, module)
    facts = {fact.name: fact.value for fact in card.facts}
    assert facts[name] == "70.00 % of 130 samples; the base model 80.00 %"
    assert facts["Validation accuracy"].startswith("90.00 %")
    assert (
        "base model's validation accuracy of 80.00 %: the best trade-off was kept, which has 70.00 %" in card.markdown
    )
    _set(rows, ModuleRow, module, record=RECORD)
    assert name not in {fact.name for fact in _card(rows, module).facts}


def test_a_card_follows_what_is_measured(rows: CatalogRows, module: str) -> None:
    dataset, model = named("datasets", "pets"), named("models", "net")
    rows.evaluation("one", module, dataset, module)
    _measured(rows, "one", 0.7, 150)
    rows.evaluation("two", module, dataset, module)
    _measured(rows, "two", 0.8, 150)
    rows.evaluation("base", model, dataset, module)
    _measured(rows, "base", 0.9, 150, scoring="SCORING_RESTRICTED")

    card = _card(rows, module)

    assert {(result.evaluation, result.accuracy, result.sample_count) for result in card.results} == {
        (named("evaluations", "two"), 0.8, 150),
        (named("evaluations", "base"), 0.9, 150),
    }
    assert "NOT_TESTED" not in _kinds(card)
    texts = [limit.text for limit in card.limits]
    assert "On test of datasets/pets models/net, restricted to its labels, has 90.00 %, it has 80.00 %." in texts
    assert any("measured on 150 images" in text for text in texts)
    assert _card(rows, model).results == []  # a baseline belongs to the module's card


def test_a_base_that_is_better_at_the_prior_is_a_limit_with_what_lies_between(rows: CatalogRows, module: str) -> None:
    dataset, model = named("datasets", "pets"), named("models", "net")
    bounds = {"lower": 0.9, "upper": 0.99, "level": 0.95}
    prior = {"log_odds": -1.1, "accuracy": 0.96, "accuracy_interval": bounds, "balanced_accuracy": 0.95}
    told = {"sample_count": "600", "positive_count": "200", "auc": 0.99, "auc_interval": bounds}
    below = {"value": -0.0185, "interval": {"lower": -0.029, "upper": -0.008, "level": 0.95}}
    rows.evaluation("own", module, dataset, module)
    _measured(
        *(rows, "own", 0.9415, 400), discrimination=told, against_base={"accuracy": below, "accuracy_at_prior": below}
    )
    rows.evaluation("base", model, dataset, module)
    _measured(rows, "base", 0.93, 400, discrimination={**told, "at_prior": prior})
    rows.evaluation("restricted", model, dataset, module)
    _measured(
        *(rows, "restricted", 0.93, 400), scoring="SCORING_RESTRICTED", discrimination={**told, "at_prior": prior}
    )

    card = _card(rows, module)

    texts = [limit.text for limit in card.limits]
    assert (
        "On test of datasets/pets models/net, at the prior, has 96.00 %, it has 94.15 %: -1.85 points "
        "(95 % interval -2.90 to -0.80)."
    ) in texts
    assert "| models/net, at the prior | datasets/pets | test | 400 of 600 | 96.00 % |" in card.markdown
    assert "- accuracy, the base at the prior: -1.85 points (95 % interval -2.90 to -0.80)" in card.markdown
    assert {result.discrimination.auc for result in card.results} == {0.99}


def test_what_a_file_in_int8_answers_stands_beside_float32_and_counts_for_neither(
    rows: CatalogRows, module: str
) -> None:
    dataset = named("datasets", "pets")
    rows.evaluation("whole", module, dataset, module)
    _measured(rows, "whole", 0.9, 400)
    rows.evaluation("small", module, dataset, module)
    _measured(rows, "small", 0.97, 400, scoring="SCORING_IN_INT8")

    card = _card(rows, module)

    assert "| this, computed in int8" in card.markdown
    assert "97.00 %" in card.markdown
    assert not [limit.text for limit in card.limits if "97.00 %" in limit.text]


def test_owners_extend_a_card_by_updating_the_resource(rows: CatalogRows, module: str) -> None:
    message = module_pb2.Module(name=module, intended_use="Not for *medicine*.", license="MIT", tags={"team": "a"})
    mask = FieldMask(paths=["intended_use", "license", "tags"])
    updated = rows.call("UpdateModule", module_pb2.UpdateModuleRequest(module=message, update_mask=mask))

    card = _card(rows, module)

    assert updated.intended_use == card.intended_use == "Not for *medicine*."
    assert card.etag == updated.etag
    assert "## Intended use\n\n> Not for *medicine*.\n" in card.markdown
    assert "license: mit\n" in card.markdown
    assert "NO_LICENSE" not in _kinds(card)


def test_models_compositions_and_data_sets_have_cards(rows: CatalogRows, module: str) -> None:
    model, dataset = named("models", "net"), named("datasets", "pets")
    composition = rows.composition("farm", module, model, dataset)
    _set(rows, ModelRow, model, origin={"format": "timm", "resource": "", "digest": ""})
    split = {"split": "train", "digest": "sha256:d", "size_bytes": 9, "sample_count": 40, "label_counts": [38, 2]}
    _set(rows, DatasetRow, dataset, splits=[split])

    cards = {name: _card(rows, name) for name in (model, composition, dataset)}

    assert "| Imported | from a folder of timm |" in cards[model].markdown
    assert _kinds(cards[composition])[1:] == ["NOT_CALIBRATED", "CLOSED_SET", "NO_LICENSE"]
    assert [limit.text for limit in cards[dataset].limits][:2] == [
        "It has no split named test: nothing can be measured on sealed data.",
        "Split train has fewer than 30 images of dog (2).",
    ]
    assert "| Split train | 40 images, 2 to 38 of a label; 9 bytes |" in cards[dataset].markdown
    assert all(card.markdown.startswith("---\n") and card.title == card.title.upper() for card in cards.values())


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("projects/default/modules/cut", errors.NotFound),
        ("projects/default/evaluations/one", errors.InvalidField),
        ("projects/default/models/Not a Name", errors.InvalidField),
        ("cat", errors.InvalidField),
    ],
)
def test_what_has_no_card_is_refused(
    rows: CatalogRows, module: str, name: str, error: type[errors.ModelFoundryError]
) -> None:
    with pytest.raises(error) as caught:
        _card(rows, name)

    assert caught.value.field == "name"


def test_the_card_of_an_alias_is_that_of_what_it_stands_for(rows: CatalogRows, module: str) -> None:
    Aliases(rows.shelf).set(named("modules", "cat@live"), module, None)
    assert _card(rows, named("modules", "cat@live")) == _card(rows, module)
