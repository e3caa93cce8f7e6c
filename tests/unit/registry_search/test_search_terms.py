"""Looking terms up: the full-text index and the way for any database give the same."""

from __future__ import annotations

from typing import Any

import pytest
from database_kinds import POSTGRESQL, SQLITE
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from modelfoundry.registry.search.folding import deletion_keys, distance, fold, slips
from modelfoundry.registry.search.tables import TermSource
from modelfoundry.registry.search.terms import FulltextTerms, PlainTerms

WORDS = st.text(alphabet="abcdefgh", min_size=1, max_size=12)


EACH_KIND = pytest.mark.parametrize(
    ("database_url", "kind"),
    [
        (SQLITE, FulltextTerms),
        (SQLITE, PlainTerms),
        pytest.param(*POSTGRESQL.values, PlainTerms, marks=POSTGRESQL.marks),
    ],
    indirect=["database_url"],
)


@pytest.fixture
def labels(shop: Any) -> Any:
    for index, label in enumerate(
        ["cat", "Egyptian cat", "tiger cat", "tiger", "cattle", "frog", "tree frog", "C++", "a_b%c"]
    ):
        shop.add(f"m-{index}", label, display_name=f"Find {label}")
    shop.add("elsewhere", "cat", "tiger", parent="projects/other")
    return shop


@EACH_KIND
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["cat"], ["cat", "cattle", "tiger cat", "egyptian cat"]),
        (["cat", "tig"], ["tiger cat"]),
        (["tiger"], ["tiger", "tiger cat"]),
        (["tig", "cat"], []),
        (["c"], ["c++", "cat", "a b c", "cattle", "tiger cat", "egyptian cat"]),
        (["c++"], ["c++"]),
        (["at"], []),
        (["%"], []),
        (['"'], []),
    ],
)
def test_terms_with_words(labels: Any, kind: Any, words: list[str], found: list[str]) -> None:
    with labels.database.read_session() as session:
        terms = kind(session, "default").with_words(TermSource.LABEL, words)

    assert [term for _, term in terms] == found


@EACH_KIND
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["forg"], [("frog", 1), ("tree frog", 1)]),
        (["tigre", "cta"], [("tiger cat", 2)]),
        (["egiptain"], [("egyptian cat", 2)]),
        (["zebra"], []),
        (["xx"], []),
        (["x"] * 9, []),
    ],
)
def test_terms_that_are_near(labels: Any, kind: Any, words: list[str], found: list[tuple[str, int]]) -> None:
    with labels.database.read_session() as session:
        terms = kind(session, "default").near(words)

    assert [(term, slip) for _, term, slip in terms] == found


@given(first=WORDS, second=WORDS)
def test_words_that_are_near_share_a_key(first: str, second: str) -> None:
    allowed = slips(first)
    if OSA.distance(first, second) <= allowed:
        assert deletion_keys(first, allowed) & deletion_keys(second)
        assert distance([first], ["zzzzzzzz", second]) == OSA.distance(first, second)
    else:
        assert distance([first], [second]) is None


def test_a_word_has_at_most_29_keys() -> None:
    assert len(deletion_keys("abcdefghijklm")) == 29


@given(text=st.text())
def test_a_folded_text_stays_as_it_is(text: str) -> None:
    folded = fold(text)

    assert fold(folded) == folded
    assert folded == " ".join(folded.split())
    assert folded == fold(text.upper()) or len(text.upper().lower()) != len(text)
