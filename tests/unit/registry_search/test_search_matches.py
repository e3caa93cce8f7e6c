"""What a query finds, why, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelfoundry import errors

from .conftest import term


def test_cat_finds_the_class_its_kinds_and_what_contains_it_and_says_why(shop: Any) -> None:
    shop.add("c10", "cat", accuracy=0.7)
    shop.add("persian", "Persian cat", accuracy=0.95)
    shop.add("tabby", "tabby", accuracy=0.9)
    shop.add("whole", "domestic cat", accuracy=0.99)
    shop.add("feline", "feline", accuracy=1.0)
    shop.add("caterpillar", "caterpillar", accuracy=1.0)
    shop.add("named", "truck", display_name="Looks for cats", tags={"team": "Cat people"})
    shop.add("dog", "dog", accuracy=1.0)

    assert shop.why("cat") == {
        "c10": [("LABEL", "cat")],
        "whole": [("SYNONYM", "domestic cat", "domestic cat", "imagenet"), ("PREFIX", "domestic cat")],
        "persian": [("MEMBER", "Persian cat", "domestic cat", "imagenet"), ("PREFIX", "Persian cat")],
        "tabby": [("MEMBER", "tabby", "domestic cat", "imagenet")],
        "feline": [("SUPER_CLASS", "feline", "domestic cat", "imagenet")],
        "caterpillar": [("PREFIX", "caterpillar")],
        "named": [("TEXT",)],
    }
    assert shop.found("cat") == ["c10", "whole", "persian", "tabby", "feline", "caterpillar", "named"]


def test_a_super_class_of_cifar_100_finds_its_members_below_it(shop: Any) -> None:
    for label in ("beaver", "dolphin", "otter", "seal", "whale", "shark"):
        shop.add(label, label)

    assert sorted(shop.found("Aquatic mammals")) == ["beaver", "dolphin", "otter", "seal", "whale"]
    assert shop.why("aquatic_mammals")["seal"] == [("MEMBER", "seal", "aquatic_mammals", "cifar-100")]


def test_a_label_is_found_by_its_super_class_however_far_above(shop: Any) -> None:
    shop.add("pug", "pug")
    shop.add("sock", "sock")

    for query in ("dog", "canine", "carnivore", "mammal", "animal"):
        assert shop.found(query) == ["pug"], query


@pytest.mark.parametrize("query", ["CAT", " cat ", "Cát", "\uff23\uff21\uff34", "cat!", "«cat»"])
def test_case_accents_width_and_punctuation_do_not_count(shop: Any, query: str) -> None:
    shop.add("cat", "cat")

    assert shop.why(query) == {"cat": [("LABEL", "cat")]}


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("hrose", "horse"),
        ("horsee", "horse"),
        ("hose", "horse"),
        ("forg", "frog"),
        ("elefant", "elephant"),
        ("airplan", "airplane"),
        ("egyptain cat", "Egyptian cat"),
        ("gyromitar", "gyromitra"),
        ("automobil3", "automobile"),
    ],
)
def test_slips_of_the_pen_are_forgiven(shop: Any, query: str, label: str) -> None:
    shop.add("wanted", label)
    shop.add("other", "zucchini")

    reasons = shop.why(query)["wanted"]

    assert reasons[0][:2] in {("SPELLING", label), ("PREFIX", label)}
    assert "other" not in shop.found(query)


@pytest.mark.parametrize("query", ["xrxse", "house", "ho", "elxxxant"])
def test_what_is_too_far_away_is_not_found(shop: Any, query: str) -> None:
    shop.add("horse", "mouse trap")
    shop.add("elephant", "elephant")

    assert shop.found("xrxse") == []
    assert [reason[0] for reasons in shop.why(query).values() for reason in reasons] in ([], ["SPELLING"])


def test_spelling_is_not_corrected_where_the_query_is_a_word(shop: Any) -> None:
    shop.add("cat", "cat")
    shop.add("car", "car")

    assert shop.found("cat") == ["cat"]
    assert shop.why("cut") == {"cat": [("SPELLING", "cat", 1)]}


def test_nearer_spellings_come_first(shop: Any) -> None:
    shop.add("far", "crocodyle", accuracy=1.0)
    shop.add("near", "crocodil", accuracy=0.1)

    assert shop.found("crocodils") == ["near", "far"]


def test_equally_relevant_modules_are_in_the_order_of_their_accuracy(shop: Any) -> None:
    shop.add("unmeasured", "horse")
    shop.add("bad", "horse", accuracy=0.0)
    shop.add("good", "horse", accuracy=0.9)
    shop.add("better", "horse", accuracy=0.95)

    assert shop.found("horse") == ["better", "good", "bad", "unmeasured"]


def test_a_module_of_several_labels_is_there_once_with_all_reasons(shop: Any) -> None:
    shop.add("mammals", "beaver", "seal", "otter")

    assert shop.found("aquatic mammals", page_size=1) == ["mammals"]
    assert sorted(shop.why("seal")["mammals"]) == [("LABEL", "seal")]
    assert [reason[1] for reason in shop.why("aquatic mammals")["mammals"]] == ["beaver", "otter", "seal"]


def test_the_last_word_may_be_a_beginning_and_the_order_of_words_does_not_count(shop: Any) -> None:
    shop.add("ship", "container ship")

    assert shop.why("ship cont") == {"ship": [("PREFIX", "container ship")]}
    assert shop.found("cont ship") == []


def test_all_words_of_a_query_have_to_be_in_name_or_tags(shop: Any) -> None:
    shop.add("both", "a", display_name="red Ferrari", tags={"team": "vision"})
    shop.add("one", "b", display_name="red bus")

    assert shop.found("vision ferr") == ["both"]
    assert shop.found("red") == ["one", "both"]
    assert shop.found("red nothing") == []


def test_words_of_a_users_vocabulary_are_understood_in_its_project_alone(shop: Any) -> None:
    shop.add("pug", "pug")
    shop.add("mine", "wuff")
    shop.add("theirs", "wuff", parent="projects/other")
    name = shop.vocabulary(
        "german", term("Hund", ("wuff",), ("Tier",)), term("Mops", ("pug",), ("Hund",)), term("Tier")
    )

    assert shop.why("hund") == {
        "mine": [("SYNONYM", "wuff", "Hund", "german")],
        "pug": [("MEMBER", "pug", "Hund", "german")],
    }
    assert shop.found("tier") == ["mine", "pug"]
    assert shop.why("mops")["mine"] == [("SUPER_CLASS", "wuff", "Mops", "german")]
    assert shop.found("hund", parent="projects/other") == []

    shop.vocabularies.delete(name.name)
    assert shop.found("tier") == []


def test_projects_do_not_see_each_other(shop: Any) -> None:
    shop.add("mine", "horse")
    shop.add("theirs", "horse", parent="projects/other")

    assert shop.found("horse") == shop.found("hors") == shop.found("hrose") == shop.found() == ["mine"]


def test_an_empty_query_finds_every_module_and_one_of_punctuation_none(shop: Any) -> None:
    shop.add("a", "x", accuracy=0.5)
    shop.add("b", "y", accuracy=0.6)

    assert shop.why("") == {"b": [], "a": []}
    assert shop.found("?!") == []


def test_a_query_that_is_too_long_is_refused(shop: Any) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        shop.page("x" * 201)

    assert caught.value.field == "query"
    assert caught.value.hint


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.one_of(
        st.text(max_size=220),
        st.text(alphabet="\"'*():^-+{}%_\\\0 \n NEARORANDcat🐱é猫", max_size=60),
        st.sampled_from(['" OR 1', "term : x", "NEAR(a b)", "a\0b", "-cat", "^cat", "%", "_", "🐱", "x" * 10_000]),
    )
)
def test_no_query_is_more_than_text(shop: Any, query: str) -> None:
    if not shop.found("horse"):
        shop.add("horse", "horse", display_name="A 🐱 named é")
    if len(query) > 200:
        with pytest.raises(errors.InvalidField):
            shop.found(query)
    else:
        found = shop.found(query)
        assert found in ([], ["horse"])
        assert shop.found(query, order_by="size_bytes") == found


def test_labels_of_symbols_are_found(shop: Any) -> None:
    shop.add("smile", "🐱")
    shop.add("kanji", "猫")
    shop.add("c", "C++")

    assert (shop.found("🐱"), shop.found("猫"), shop.found("c++")) == (["smile"], ["kanji"], ["c"])
