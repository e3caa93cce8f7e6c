"""Deleting something together with what depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from catalog_rows import CatalogRows, named
from sqlmodel import select

from modelfoundry import errors
from modelfoundry.api.registry.v1 import composition_pb2, dataset_pb2, model_pb2, module_pb2, provenance_pb2
from modelfoundry.registry.records.tables import LabelRow, ProvenanceRow, resource_tables


@pytest.fixture
def digits(rows: CatalogRows) -> str:
    """A data set with a model, two modules, and measurements of module and baseline."""
    dataset = rows.dataset("digits")
    model = rows.model("net", dataset)
    horse = rows.module("horse", model, dataset)
    rows.module("cow", model, dataset)
    rows.evaluation("of-horse", horse, dataset)
    rows.evaluation("baseline", model, dataset, module=horse)
    return dataset


def stored(rows: CatalogRows) -> set[str]:
    with rows.database.read_session() as session:
        return {row.name for table in resource_tables().values() for row in session.exec(select(table))}


def dependents(rows: CatalogRows, name: str) -> Any:
    return rows.call("ListDependents", provenance_pb2.ListDependentsRequest(name=name))


def test_everything_that_depends_on_it_goes_with_a_data_set(rows: CatalogRows, digits: str) -> None:
    other = rows.dataset("letters")
    kept = rows.model("other", other)

    rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=digits, cascade=True))

    assert stored(rows) == {other, kept}
    with rows.database.read_session() as session:
        assert {step.subject for step in session.exec(select(ProvenanceRow))} == {kept}
        assert {label.resource for label in session.exec(select(LabelRow))} == {other, kept}


def test_what_a_model_came_from_stays(rows: CatalogRows, digits: str) -> None:
    rows.call("DeleteModel", model_pb2.DeleteModelRequest(name=named("models", "net"), cascade=True))

    assert stored(rows) == {digits}


def test_a_module_goes_with_its_measurements_but_not_with_what_is_made_of_it(rows: CatalogRows, digits: str) -> None:
    horse, other = named("modules", "horse"), rows.model("other")
    farm = rows.composition("farm", horse, other, digits)
    measured = rows.evaluation("of-farm", farm, digits)

    with pytest.raises(errors.InUse) as caught:
        rows.call("DeleteModule", module_pb2.DeleteModuleRequest(name=horse))

    assert caught.value.metadata == {"dependents": farm}
    assert "`--cascade`" in caught.value.hint
    names = [node.name for node in dependents(rows, horse).dependents]
    assert names.index(measured) < names.index(farm)
    rows.call("DeleteModule", module_pb2.DeleteModuleRequest(name=horse, cascade=True))
    assert stored(rows) == {digits, named("models", "net"), named("modules", "cow"), other}


def test_a_model_goes_with_the_modules_measurements_and_compositions_made_of_it(rows: CatalogRows, digits: str) -> None:
    other = rows.model("other")
    rows.composition("farm", named("modules", "horse"), other, digits)

    rows.call("DeleteModel", model_pb2.DeleteModelRequest(name=named("models", "net"), cascade=True))

    assert stored(rows) == {digits, other}


def test_measurements_go_with_a_composition_and_its_sources_stay(rows: CatalogRows, digits: str) -> None:
    before = stored(rows)
    farm = rows.composition("farm", named("modules", "horse"), named("models", "net"), digits)
    rows.evaluation("of-farm", farm, digits)

    rows.call("DeleteComposition", composition_pb2.DeleteCompositionRequest(name=farm))

    assert stored(rows) == before


def test_without_cascade_nothing_is_deleted_that_others_need(rows: CatalogRows, digits: str) -> None:
    before = stored(rows)

    with pytest.raises(errors.InUse) as caught:
        rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=digits))

    assert len(caught.value.metadata["dependents"].split(",")) == 5
    assert stored(rows) == before


def test_a_cascade_on_a_changed_resource_deletes_nothing(rows: CatalogRows, digits: str) -> None:
    before = stored(rows)

    with pytest.raises(errors.EtagMismatch):
        rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=digits, etag='"old"', cascade=True))

    assert stored(rows) == before


def test_dependents_are_listed_in_the_order_of_their_deletion(rows: CatalogRows, digits: str) -> None:
    response = dependents(rows, digits)

    names = [node.name for node in response.dependents]
    assert set(names) == stored(rows) - {digits}
    assert names[-1] == named("models", "net")
    assert names.index(named("evaluations", "baseline")) < names.index(named("modules", "horse"))
    assert response.total_count == 5
    assert {node.name: node.distance for node in dependents(rows, named("models", "net")).dependents} == {
        named("modules", "horse"): 1,
        named("modules", "cow"): 1,
        named("evaluations", "baseline"): 1,
        named("evaluations", "of-horse"): 2,
    }
    assert dependents(rows, named("modules", "cow")).total_count == 0


def test_more_dependents_than_a_statement_takes_go_too(rows: CatalogRows) -> None:
    dataset = rows.dataset("digits")
    model = rows.model("net", dataset)
    with rows.database.session() as session:
        for number in range(1100):
            rows.add_evaluation(session, f"number-{number}", model, dataset)

    response = dependents(rows, dataset)
    rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=dataset, cascade=True))

    assert (len(response.dependents), response.total_count) == (1000, 1101)
    assert stored(rows) == set()


@pytest.mark.parametrize("name", [named("operations", "one"), "digits"], ids=["job", "bare id"])
def test_dependents_of_what_is_no_resource_are_refused(rows: CatalogRows, name: str) -> None:
    with pytest.raises(errors.InvalidField):
        dependents(rows, name)


def test_dependents_of_what_is_not_there_are_not_found(rows: CatalogRows, digits: str) -> None:
    with pytest.raises(errors.NotFound):
        dependents(rows, named("datasets", "digit"))
