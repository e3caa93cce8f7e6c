"""Vocabularies: rules, those that are built in, and their life in a project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.search.vocabulary import Thesaurus, built_in, checked_vocabulary
from modelfoundry.values.searching import Vocabulary, VocabularyTerm

from .conftest import term

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        ([], "there are 0 terms"),
        ([term(f"t{number}") for number in range(20_001)], "there are 20001 terms"),
        ([term("cat"), term("Cát!")], r"'C.*' is also term 0"),
        ([term("")], "has no letter"),
        ([term("?!")], "has no letter"),
        ([term("x" * 201)], "201 characters"),
        ([term("a\0b")], "control characters"),
        ([term("cat", ("",))], "has no letter"),
        ([term("cat", tuple(map(str, range(65))))], "there are 65"),
        ([term("cat", (), ("animal",))], "'animal' is no term"),
        ([term("cat", (), ("cat",))], "in a circle: cat > cat"),
        ([term("a", (), ("b",)), term("b", (), ("c",)), term("c", (), ("a",)), term("d", (), ("a",))], "a > b > c > a"),
        ([term(f"{number:0200}", ("x" * 200,) * 30) for number in range(200)], "bytes"),
    ],
)
def test_a_vocabulary_that_breaks_a_rule_is_refused(terms: list[VocabularyTerm], what: str) -> None:
    with pytest.raises(errors.InvalidField, match=what) as caught:
        checked_vocabulary(Thesaurus(tuple(terms)))

    assert caught.value.field.startswith("vocabulary.terms")
    assert caught.value.hint


def test_a_word_may_be_a_synonym_of_several_terms_and_a_term_a_kind_of_several() -> None:
    vocabulary = checked_vocabulary(
        Thesaurus((term("crane bird", ("crane",)), term("crane machine", ("crane",)), term("x", (), ("Crane-bird",))))
    )

    assert [term.term for term in vocabulary.named("crane")] == ["crane bird", "crane machine"]
    assert [term.term for term in vocabulary.kinds_of(vocabulary.terms[0])] == ["x"]


def test_a_deep_vocabulary_is_checked_and_walked() -> None:
    terms = [term("0"), *(term(str(number), (), (str(number - 1),)) for number in range(1, 20_000))]
    vocabulary = checked_vocabulary(Thesaurus(tuple(terms)))

    assert sum(1 for _ in vocabulary.kinds_of(terms[0])) == 19_999


@pytest.mark.parametrize("name", ["cifar-100", "imagenet"])
def test_what_is_built_in_keeps_the_rules(name: str) -> None:
    checked_vocabulary(built_in(name))


def test_cifar_100_has_20_super_classes_of_5_labels() -> None:
    vocabulary = built_in("cifar-100")
    members = {term.term: [kind.term for kind in vocabulary.kinds_of(term)] for term in vocabulary.terms}

    assert sorted(map(len, members.values())) == [0] * 100 + [5] * 20
    assert sorted(members["large_carnivores"]) == ["bear", "leopard", "lion", "tiger", "wolf"]
    assert sorted(members["vehicles_2"]) == ["lawn_mower", "rocket", "streetcar", "tank", "tractor"]


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("dog", 118, {"Chihuahua", "beagle", "Great Dane", "Mexican hairless", "pug"}),
        ("domestic cat", 5, {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}),
        ("bird", 59, {"cock", "bulbul", "great grey owl", "black swan", "white stork", "albatross"}),
        ("snake", 17, {"boa constrictor", "sidewinder", "sea snake"}),
        ("insect", 27, {"tiger beetle", "bee", "monarch", "lycaenid"}),
        ("fish", 16, {"tench", "stingray", "puffer", "rock beauty"}),
        ("primate", 20, {"orangutan", "indri", "titi"}),
        ("car", 10, {"ambulance", "sports car", "limousine"}),
        ("fruit", 10, {"banana", "Granny Smith", "pomegranate"}),
        ("ball", 9, {"baseball", "volleyball"}),
    ],
)
def test_super_classes_of_imagenet_hold_what_their_names_say(name: str, count: int, some: set[str]) -> None:
    vocabulary = built_in("imagenet")
    (term,) = [term for term in vocabulary.terms if term.term == name]
    kinds = [kind for kind in vocabulary.kinds_of(term) if not any(vocabulary.kinds_of(kind))]

    assert some <= {kind.term for kind in kinds}
    assert len(kinds) == count


def test_what_is_built_in_is_what_its_script_makes() -> None:
    script = [sys.executable, str(ROOT / "registry" / "build_vocabularies.py"), "--check"]

    assert subprocess.run(script, check=False, capture_output=True, text=True, timeout=120).stderr == ""


def test_a_vocabulary_is_registered_shown_listed_and_deleted(shop: Any) -> None:
    made = shop.vocabulary("pets", term("pet"), term("cat", ("kitty",), ("pet",)))
    vocabularies = shop.vocabularies

    assert made.name == "projects/default/vocabularies/pets"
    assert vocabularies.show(made.name) == made
    assert [
        (one.name.rpartition("/")[2], one.term_count, one.terms) for one in vocabularies.of_project("projects/default")
    ] == [
        ("cifar-100", 120, ()),
        ("imagenet", len(built_in("imagenet").terms), ()),
        ("pets", 2, ()),
    ]
    vocabularies.delete(made.name)
    with pytest.raises(errors.NotFound, match="there is no"):
        vocabularies.show(made.name)
    assert len(vocabularies.of_project("projects/default")) == 2


def test_what_is_built_in_is_there_in_every_project_and_stays(shop: Any) -> None:
    vocabularies = shop.vocabularies
    name = "projects/other/vocabularies/cifar-100"

    assert len(vocabularies.show(name).terms) == 120
    with pytest.raises(errors.InvalidField, match="stays"):
        vocabularies.delete(name)
    with pytest.raises(errors.AlreadyExists):
        shop.vocabulary("imagenet", term("cat"))


def test_names_are_taken_once_and_a_repeated_call_gives_what_the_first_made(shop: Any) -> None:
    shop.vocabulary("pets", term("cat"))
    with pytest.raises(errors.AlreadyExists) as caught:
        shop.vocabulary("pets", term("dog"))
    assert caught.value.field == "vocabulary_id"
    call = CreateCall("projects/default", "", "6f0e7a1e-2c52-4b4c-8f0e-0a3f5d1a2b3c", "same")
    first = shop.vocabularies.create(call, Vocabulary(terms=(term("x"),)))

    assert shop.vocabularies.create(call, Vocabulary(terms=(term("x"),))) == first
    assert first.name.startswith("projects/default/vocabularies/vocabulary-")


def test_a_project_has_at_most_64_vocabularies(shop: Any) -> None:
    for number in range(64):
        shop.vocabulary(f"v-{number}", term("x"))

    with pytest.raises(errors.StorageFull) as caught:
        shop.vocabulary("one-more", term("x"))

    assert caught.value.hint
    shop.vocabulary("one-more", term("x"), parent="projects/other")


def test_a_vocabulary_of_the_same_name_made_anew_is_what_searches_use(shop: Any) -> None:
    shop.add("tabby", "tabby")
    first = shop.vocabulary("mine", term("katze", ("tabby",)))
    assert shop.found("katze") == ["tabby"]

    shop.vocabularies.delete(first.name)
    shop.vocabulary("mine", term("chat", ("tabby",)))

    assert (shop.found("katze"), shop.found("chat")) == ([], ["tabby"])
