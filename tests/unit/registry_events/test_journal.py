"""Every change of a resource is written down, once, in order, with the change itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from catalog_rows import CatalogRows, named
from sqlalchemy import text
from sqlmodel import select

from modelfoundry import errors
from modelfoundry.api.registry.v1 import dataset_pb2, evaluation_pb2, model_pb2
from modelfoundry.registry.records.event_tables import (
    EventRow,
)
from modelfoundry.registry.records.journal import Happening, note
from modelfoundry.registry.records.tables import DatasetRow, ModelRow
from modelfoundry.values.lineage import EventKind


def told(rows: CatalogRows) -> list[tuple[int, str, str]]:
    with rows.database.read_session() as session:
        events = session.exec(select(EventRow).order_by(EventRow.sequence)).all()  # type: ignore[arg-type]
    return [(event.sequence, event.kind, event.resource.rpartition("/")[2]) for event in events]


def event(rows: CatalogRows, sequence: int) -> EventRow:
    with rows.database.read_session() as session:
        return session.get_one(EventRow, sequence)


def update(rows: CatalogRows, name: str, **fields: Any) -> Any:
    model = model_pb2.Model(name=name, **fields)
    return rows.call("UpdateModel", model_pb2.UpdateModelRequest(model=model))


def test_what_is_stored_changed_measured_and_deleted_is_told(rows: CatalogRows) -> None:
    dataset = rows.dataset("digits")
    model = rows.model("net", dataset)
    changed = update(rows, model, description="a net")
    evaluation = rows.evaluation("one", model, dataset)
    rows.call("DeleteEvaluation", evaluation_pb2.DeleteEvaluationRequest(name=evaluation))

    assert told(rows) == [
        (1, "created", "digits"),
        (2, "created", "net"),
        (3, "updated", "net"),
        (4, "created", "one"),
        (5, "evaluated", "net"),
        (6, "deleted", "one"),
    ]
    assert (event(rows, 3).etag, event(rows, 3).digest) == (changed.etag, "sha256:net")
    assert (event(rows, 5).evaluation, event(rows, 5).collection) == (evaluation, "models")


def test_an_update_that_changes_nothing_is_not_told(rows: CatalogRows) -> None:
    dataset, model = rows.dataset("digits"), rows.model("net")
    update(rows, model, display_name="NET")
    with rows.database.session() as session:
        session.get_one(ModelRow, model).display_name = "NET"
        rows.add_evaluation(session, "one", model, dataset)

    assert "updated" not in {kind for _, kind, _ in told(rows)}


def test_everything_that_a_cascade_deletes_is_told(rows: CatalogRows) -> None:
    dataset = rows.dataset("digits")
    model = rows.model("net", dataset)
    rows.evaluation("one", rows.module("horse", model, dataset), dataset)
    before = len(told(rows))

    rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=dataset, cascade=True))

    deleted = told(rows)[before:]
    assert [(kind, last) for _, kind, last in deleted] == [
        ("deleted", "one"),
        ("deleted", "horse"),
        ("deleted", "net"),
        ("deleted", "digits"),
    ]


def test_what_does_not_happen_is_not_told(rows: CatalogRows) -> None:
    dataset = rows.dataset("digits")
    rows.model("net", dataset)
    with pytest.raises(errors.InUse):
        rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=dataset))
    with pytest.raises(ZeroDivisionError):
        _change_and_fail(rows, dataset)
    rows.dataset("last")

    assert told(rows) == [(1, "created", "digits"), (2, "created", "net"), (3, "created", "last")]


def _change_and_fail(rows: CatalogRows, name: str) -> None:
    with rows.database.session() as session:
        session.get_one(DatasetRow, name).description = "changed"
        session.flush()
        raise ZeroDivisionError


def test_what_is_no_row_of_its_own_can_be_told_too(rows: CatalogRows) -> None:
    with rows.database.session() as session:
        note(session, Happening(EventKind.ALIASED, named("modules", "cat"), alias="champion"))

    assert (event(rows, 1).kind, event(rows, 1).alias) == ("aliased", "champion")


def test_numbers_have_no_gaps_when_many_write_at_once(rows: CatalogRows) -> None:
    def write(writer: int) -> None:
        for number in range(5):
            rows.dataset(f"data-{writer}-{number}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [sequence for sequence, _, _ in told(rows)] == list(range(1, 21))


def test_databases_hold_kinds_of_events_by_the_names_that_they_always_had(rows: CatalogRows) -> None:
    rows.dataset("digits")
    with rows.database.session() as session:
        assert session.execute(text("SELECT kind FROM events")).scalars().all() == ["CREATED"]
