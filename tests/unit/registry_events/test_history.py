"""How far back events are kept, and cursors into them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from catalog_rows import CatalogRows

from modelfoundry import errors
from modelfoundry.registry.events.history import EventQuery, History, Kept
from modelfoundry.values.lineage import EventKind

ALL = EventQuery("default")


def history(rows: CatalogRows, days: int = 30, count: int = 100, ahead: timedelta = timedelta(0)) -> History:
    return History(rows.database, Kept(days, count), lambda: datetime.now(UTC) + ahead)


def fill(rows: CatalogRows, number: int = 6) -> None:
    for place in range(number):
        rows.dataset(f"data-{place}")


def sequences(history: History, after: int | None, limit: int = 100, query: EventQuery = ALL) -> list[int]:
    return [event.sequence for event in history.page(query, after, limit).events]


def test_pages_go_on_where_the_last_one_ended(rows: CatalogRows) -> None:
    fill(rows)

    first = history(rows).page(ALL, 0, 4)
    assert [event.sequence for event in first.events] == [1, 2, 3, 4]
    assert (first.through, first.newest) == (4, 6)
    assert sequences(history(rows), first.through) == [5, 6]
    assert history(rows).page(ALL, 6, 4).through == 6


def test_only_what_is_asked_for_is_told_and_the_rest_counts_as_seen(rows: CatalogRows) -> None:
    fill(rows, 2)
    model = rows.model("net")
    rows.evaluation("one", model, rows.dataset("last"))

    page = history(rows).page(EventQuery("default", (EventKind.EVALUATED,)), 0, 10)
    assert [event.resource for event in page.events] == [model]
    assert page.through == page.newest == 6
    assert sequences(history(rows), 0, query=EventQuery("default", (), ("models",))) == [3, 6]
    assert sequences(history(rows), 0, query=EventQuery("other")) == []


def test_no_more_are_kept_than_are_to_be_kept(rows: CatalogRows) -> None:
    fill(rows)
    history(rows, count=2).forget_old()

    assert sequences(history(rows), None) == [5, 6]
    assert sequences(history(rows), 4) == [5, 6]
    with pytest.raises(errors.CursorExpired) as caught:
        history(rows).page(ALL, 3, 10)
    assert caught.value.metadata == {"oldest": "5"}


def test_what_is_too_old_is_forgotten_and_numbers_go_on(rows: CatalogRows) -> None:
    fill(rows)
    history(rows, days=3, ahead=timedelta(days=2)).forget_old()
    assert sequences(history(rows), 0) == [1, 2, 3, 4, 5, 6]

    history(rows, days=3, ahead=timedelta(days=4)).forget_old()
    assert sequences(history(rows), 6) == []
    with pytest.raises(errors.CursorExpired) as caught:
        history(rows).page(ALL, 0, 10)
    assert caught.value.metadata == {"oldest": "7"}
    rows.dataset("new")
    assert sequences(history(rows), None) == [7]


@pytest.mark.parametrize("after", [-1, 7])
def test_a_cursor_that_nobody_was_given_is_refused(rows: CatalogRows, after: int) -> None:
    fill(rows)

    with pytest.raises(errors.InvalidField) as caught:
        history(rows).page(ALL, after, 10)

    assert caught.value.field == "after_sequence"
