"""Filters, orders and pages of searches."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from database_kinds import ONLY_ON_SQLITE
from sqlalchemy import event

from modelfoundry import errors
from modelfoundry.registry.search import relevance

from .conftest import term

EACH = 5


@pytest.fixture
def animals(shop: Any) -> Any:
    """A quarter each of the label, a member, a longer label and a name; one has labels of two kinds."""
    for index in range(EACH):
        shop.add(f"label-{index}", "dog", accuracy=index / 10, artifact_bytes=index)
        shop.add(
            f"member-{index}", "pug" if index % 2 else "boxer", accuracy=(index % 3) / 10, artifact_bytes=100 - index
        )
        shop.add(f"prefix-{index}", "dogsled", *(["pug"] if index == 3 else []), artifact_bytes=50 + index)
        shop.add(f"text-{index}", "sock", display_name="my dog's sock", accuracy=1.0, artifact_bytes=7)
    return shop


def _expected() -> list[str]:
    members = sorted(range(EACH), key=lambda index: (index % 3, index), reverse=True)
    return [
        *(f"label-{index}" for index in reversed(range(EACH))),
        *(f"member-{index}" for index in members),
        "prefix-3",
        *(f"prefix-{index}" for index in reversed(range(EACH)) if index != 3),
        *(f"text-{index}" for index in reversed(range(EACH))),
    ]


@pytest.mark.parametrize("page_size", [1, 5, 19, 20, 21])
@pytest.mark.parametrize("many", [1, 10_000], ids=["asked one by one", "listed first"])
def test_pages_of_any_size_are_the_whole_in_order(
    animals: Any, page_size: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relevance, "MANY", many)

    assert animals.found("dog", page_size=page_size) == _expected()


@pytest.mark.parametrize("many", [1, 10_000], ids=["asked one by one", "listed first"])
def test_an_order_of_the_callers_goes_over_all_that_is_found(
    animals: Any, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relevance, "MANY", many)
    sizes = [result.module.row.artifact_bytes for result in animals.page("dog", order_by="size_bytes desc").rows]

    assert len(sizes) == 4 * EACH
    assert all(first >= second for first, second in pairwise(sizes))
    assert sorted(animals.found("dog", order_by="size_bytes", page_size=4)) == sorted(_expected())


def test_a_filter_keeps_the_order_of_relevance(animals: Any) -> None:
    assert animals.found("dog", filter="accuracy > 0.1 AND size_bytes < 99", page_size=2) == [
        name
        for name in _expected()
        if (name.startswith("label") and int(name[-1]) > 1)
        or (name.startswith("member") and int(name[-1]) % 3 == 2)
        or name.startswith("text")
    ]


def test_modules_that_come_and_go_between_pages_shift_nothing(animals: Any) -> None:
    first = animals.page("dog", page_size=5)
    animals.add("late", "dog", accuracy=0.99)
    animals.modules.delete("projects/default/modules/label-3", "")

    rest = animals.found("dog", page_size=5, page_token=first.next_page_token)

    assert rest == [name for name in _expected()[5:] if name != "label-3"]


def test_every_token_begins_behind_its_result(animals: Any) -> None:
    page = animals.page("dog", page_size=7)

    assert animals.found("dog", page_token=page.tokens[3]) == _expected()[4:]


@pytest.mark.parametrize(
    ("query", "changed"),
    [
        ("dogs", {}),
        ("dog", {"filter": "accuracy > 0"}),
        ("dog", {"parent": "projects/other"}),
        ("dog", {"order_by": "name"}),
    ],
)
def test_a_token_fits_no_other_search(animals: Any, query: str, changed: dict[str, str]) -> None:
    token = animals.page("dog", page_size=2).next_page_token

    with pytest.raises(errors.InvalidField, match="other arguments"):
        animals.page(query, page_token=token, **changed)


def test_a_token_of_an_ordered_search_fits_no_other_query(animals: Any) -> None:
    token = animals.page("dog", page_size=2, order_by="name").next_page_token

    with pytest.raises(errors.InvalidField, match="other arguments"):
        animals.page("sock", page_token=token, order_by="name")


@pytest.mark.parametrize("page_size", [-1, -(2**31)])
def test_a_negative_page_size_is_refused(shop: Any, page_size: int) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        shop.page("dog", page_size=page_size)

    assert caught.value.field == "page_size"


@pytest.fixture
def shelf(shop: Any) -> Any:
    latencies = [{"batch_size": 1, "median_ms": 4.5}, {"batch_size": 64, "median_ms": 1.0}]
    measures = [
        {"accuracy": 0.8, "f1": 0.7},
        {"accuracy": 0.9, "f1": 0.6, "latencies": latencies},
        {"accuracy": 0.99, "f1": 0.99, "split": "train", "latencies": [{"batch_size": 1, "median_ms": 9.0}]},
    ]
    shop.add("measured", "cat", measures=measures, license="MIT", builder="zoo:vgg16", tags={"team": "vision"})
    shop.add("large", "cat", "dog", accuracy=0.5, artifact_bytes=10**7, algorithm="gradsplitter", weight_retention=0.1)
    shop.add("bare", "cat", dataset="svhn", license="Apache-2.0")
    return shop


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("accuracy > 0.85", ["measured"]),
        ("accuracy = 0.9 AND f1 = 0.6", ["measured"]),
        ("accuracy < 0.6", ["large"]),
        ("latency_ms <= 4.5", ["measured"]),
        ("latency_ms > 0 AND latency_ms < 4", []),
        ("size_bytes < 2000000", ["measured", "bare"]),
        ('license = "MIT" OR license = "Apache-2.0"', ["measured", "bare"]),
        ('architecture = "zoo:vgg16"', ["measured"]),
        ("architecture:vgg", ["measured"]),
        ("algorithm = gradsplitter", ["large"]),
        ('dataset:"svhn"', ["bare"]),
        ('labels:"dog"', ["large"]),
        ('tags.team = "vision"', ["measured"]),
        ("weight_retention < 0.2", ["large"]),
        ('create_time > "2026-01-01T00:01:30Z"', ["large", "bare"]),
        ('base_model:"models/vgg16"', ["measured"]),
        ("NOT accuracy > 0.85", ["large"]),
    ],
)
@pytest.mark.parametrize("query", ["cat", ""])
def test_filters(shelf: Any, query: str, where: str, found: list[str]) -> None:
    assert shelf.found(query, filter=where) == found


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        ("accuracy", ["bare", "large", "measured"]),
        ("latency_ms desc", ["measured", "large", "bare"]),
        ("size_bytes desc, name", ["large", "bare", "measured"]),
        ("create_time desc", ["bare", "large", "measured"]),
    ],
)
def test_orders(shelf: Any, order_by: str, found: list[str]) -> None:
    assert shelf.found("cat", order_by=order_by) == found


@pytest.mark.parametrize(("where", "order_by"), [("accuracie > 1", ""), ("", "accuracie"), ("f1:5", ""), ("(", "")])
def test_a_wrong_filter_or_order_is_refused_with_a_hint(shop: Any, where: str, order_by: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        shop.page("cat", filter=where, order_by=order_by)

    assert caught.value.field in {"filter", "order_by"}
    assert caught.value.hint


def test_a_result_says_what_was_measured(shelf: Any) -> None:
    facts = {result.module.row.name[-4:]: result.facts for result in shelf.page("cat").rows}

    assert (facts["ured"].accuracy, facts["ured"].f1, facts["ured"].latency_ms) == (0.9, 0.6, 4.5)
    assert facts["ured"].measured_dataset == "projects/default/datasets/images"
    assert (facts["bare"].accuracy, facts["bare"].f1, facts["bare"].latency_ms) == (None, None, None)


@ONLY_ON_SQLITE
def test_one_label_is_read_in_order_from_the_index_and_deep_pages_begin_in_its_middle(animals: Any) -> None:
    statements: list[tuple[str, Any]] = []
    event.listen(animals.database.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    token = animals.page("dog", page_size=3).next_page_token
    animals.page("dog", page_size=3, page_token=token)
    walked = [pair for pair in statements if "term_id = ? ORDER" in pair[0] or "term_id = ? AND" in pair[0]]
    with animals.database.engine.connect() as connection:
        plans = [
            " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in walked
        ]

    assert len(plans) == 2
    assert all("TEMP B-TREE" not in plan for plan in plans)
    assert "term_id=? AND ranked_accuracy<?" in plans[1]


def test_large_vocabularies_are_searched_too(shop: Any) -> None:
    shop.add("one", "kind 1234")
    terms = [term("everything"), *(term(f"kind {number}", (), ("everything",)) for number in range(6000))]
    shop.vocabulary("large", *terms)

    assert shop.why("everything") == {"one": [("MEMBER", "kind 1234", "everything", "large")]}
