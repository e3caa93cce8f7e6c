"""What words mean among the labels that models know, with modules or without."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.registry.records.tables import LabelRow, ModelRow

from .conftest import term

PARENT = "projects/default"


def know(shop: Any, model: str, *labels: str, parent: str = PARENT) -> None:
    """Registers a model by its rows."""
    name = f"{parent}/models/{model}"
    shop.add(f"of-{model}", "rest of it", builder=f"zoo:{model}", parent=parent)
    with shop.database.session() as session:
        session.get_one(ModelRow, name)
        session.add_all(LabelRow(resource=name, position=place, label=label) for place, label in enumerate(labels))


def found(shop: Any, query: str, parent: str = PARENT) -> list[tuple[str, str]]:
    return [(match.kind.name, match.label) for match in shop.known_labels.find(parent, query).matches]


def test_a_label_is_found_as_models_spell_it(shop: Any) -> None:
    know(shop, "a", "Fire_Truck", "dog")
    know(shop, "b", "fire truck")

    assert found(shop, "FIRE truck") == [("LABEL", "Fire_Truck"), ("LABEL", "fire truck")]


def test_labels_of_modules_other_projects_and_data_sets_do_not_count(shop: Any) -> None:
    know(shop, "a", "dog")
    know(shop, "b", "cat", parent="projects/other")

    assert found(shop, "rest of it") == []
    assert found(shop, "cat") == []
    assert found(shop, "cat", "projects/other") == [("LABEL", "cat")]


def test_synonyms_members_and_super_classes_come_after_the_label_itself(shop: Any) -> None:
    shop.vocabulary("machines", term("contraption"), term("whatsit", ("gizmo", "gadget"), ("contraption",)))
    know(shop, "a", "whatsit", "contraption", "dog")

    assert found(shop, "Gizmo") == [("SYNONYM", "whatsit"), ("SUPER_CLASS", "contraption")]
    assert found(shop, "contraption") == [("LABEL", "contraption"), ("MEMBER", "whatsit")]
    (match, *_) = shop.known_labels.find(PARENT, "gizmo").matches
    assert (match.term, match.vocabulary) == ("whatsit", f"{PARENT}/vocabularies/machines")


def test_labels_with_the_words_of_the_query_come_before_slips(shop: Any) -> None:
    know(shop, "a", "red zorgon", "zorgon stop", "zorgun", "red")

    assert found(shop, "zorgon") == [("PREFIX", "red zorgon"), ("PREFIX", "zorgon stop"), ("SPELLING", "zorgun")]
    assert found(shop, "red zo") == [("PREFIX", "red zorgon")]


def test_a_slip_of_the_pen_finds_the_nearest_labels_first(shop: Any) -> None:
    know(shop, "a", "girrafe", "giraffe", "zebra")

    assert found(shop, "giarffe") == [("SPELLING", "giraffe"), ("SPELLING", "girrafe")]


def test_a_word_that_means_nothing_is_answered_with_labels_that_there_are(shop: Any) -> None:
    know(shop, "a", "horse", "cow")

    nothing = shop.known_labels.find(PARENT, "quark")
    assert (nothing.matches, nothing.known_labels) == ((), ("cow", "horse"))


@pytest.mark.parametrize("query", ["", "?!", "x" * 201])
def test_a_query_without_words_is_refused(shop: Any, query: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        shop.known_labels.find(PARENT, query)
    assert caught.value.field == "query"
