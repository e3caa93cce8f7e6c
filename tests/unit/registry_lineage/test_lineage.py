"""Where a resource came from, and what came from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from catalog_rows import CatalogRows, named

from modelfoundry import errors
from modelfoundry.api.registry.v1 import provenance_pb2
from modelfoundry.values.resources import Relation

UP = provenance_pb2.LINEAGE_DIRECTION_ANCESTORS
DOWN = provenance_pb2.LINEAGE_DIRECTION_DESCENDANTS


@dataclass(frozen=True)
class Family:
    """Two modules of one model, one of them measured; the job that made it is forgotten."""

    dataset: str
    other_data: str
    training: str
    model: str
    search: str
    horse: str
    cow: str
    evaluation: str


@pytest.fixture
def family(rows: CatalogRows) -> Family:
    dataset, other_data = rows.dataset("digits"), rows.dataset("letters")
    training, search = rows.operation("training", "train"), named("operations", "forgotten")
    model = rows.model("net", dataset, (Relation.PRODUCED_BY, training))
    horse = rows.module("horse", model, dataset, (Relation.PRODUCED_BY, search))
    cow = rows.module("cow", model, dataset)
    evaluation = rows.evaluation("one", horse, other_data)
    return Family(dataset, other_data, training, model, search, horse, cow, evaluation)


def lineage(rows: CatalogRows, name: str, **fields: Any) -> provenance_pb2.GetLineageResponse:
    response = rows.call("GetLineage", provenance_pb2.GetLineageRequest(name=name, **fields))
    assert isinstance(response, provenance_pb2.GetLineageResponse)
    return response


def distances(response: provenance_pb2.GetLineageResponse) -> dict[str, int]:
    return {node.name: node.distance for node in response.nodes}


def steps(response: provenance_pb2.GetLineageResponse) -> list[tuple[str, str, str]]:
    return [
        (edge.subject, provenance_pb2.Relation.Name(edge.relation).removeprefix("RELATION_"), edge.object)
        for edge in response.edges
    ]


def test_ancestors_are_all_that_a_resource_came_from(rows: CatalogRows, family: Family) -> None:
    found = lineage(rows, family.evaluation, direction=UP)

    assert distances(found) == {
        family.evaluation: 0,
        family.horse: 1,
        family.other_data: 1,
        family.model: 2,
        family.dataset: 2,
        family.search: 2,
        family.training: 3,
    }
    assert steps(found) == [
        (family.model, "TRAINED_ON", family.dataset),
        (family.model, "PRODUCED_BY", family.training),
        (family.horse, "MODULE_OF", family.model),
        (family.horse, "TRAINED_ON", family.dataset),
        (family.horse, "PRODUCED_BY", family.search),
        (family.evaluation, "EVALUATES", family.horse),
        (family.evaluation, "MEASURED_ON", family.other_data),
    ]
    assert not found.truncated


def test_descendants_are_all_that_came_from_a_resource(rows: CatalogRows, family: Family) -> None:
    found = lineage(rows, family.model, direction=DOWN)

    assert distances(found) == {family.model: 0, family.horse: 1, family.cow: 1, family.evaluation: 2}


def test_a_job_leads_to_what_it_made(rows: CatalogRows, family: Family) -> None:
    found = lineage(rows, family.training, direction=DOWN, depth=1)

    assert distances(found) == {family.training: 0, family.model: 1}


def test_both_ways_do_not_reach_siblings(rows: CatalogRows, family: Family) -> None:
    found = distances(lineage(rows, family.horse))

    assert found[family.dataset] == 1
    assert found[family.evaluation] == 1
    assert found[family.training] == 2
    assert family.cow not in found
    assert family.other_data not in found


def test_the_walk_ends_at_the_depth(rows: CatalogRows, family: Family) -> None:
    found = lineage(rows, family.evaluation, direction=UP, depth=1)

    assert distances(found) == {family.evaluation: 0, family.horse: 1, family.other_data: 1}
    assert not found.truncated


def test_no_more_nodes_than_asked_for(rows: CatalogRows, family: Family) -> None:
    found = lineage(rows, family.dataset, direction=DOWN, max_nodes=3)

    assert distances(found) == {family.dataset: 0, family.model: 1, family.horse: 1}
    assert found.truncated
    assert {end for step in steps(found) for end in (step[0], step[2])} <= distances(found).keys()
    assert not lineage(rows, family.dataset, direction=DOWN, max_nodes=5).truncated


def test_nodes_say_what_they_are(rows: CatalogRows, family: Family) -> None:
    nodes = {node.name: node for node in lineage(rows, family.horse).nodes}

    horse = nodes[family.horse]
    assert (horse.collection, horse.display_name, horse.digest) == ("modules", "HORSE", "sha256:horse")
    assert list(horse.labels) == ["cat", "dog"]
    assert horse.HasField("create_time")
    assert nodes[family.dataset].digest == "sha256:digits"
    training = nodes[family.training]
    assert (training.collection, training.display_name, training.missing) == ("operations", "train", False)


def test_what_is_gone_is_a_missing_node(rows: CatalogRows, family: Family) -> None:
    nodes = {node.name: node for node in lineage(rows, family.horse).nodes}

    assert [name for name, node in nodes.items() if node.missing] == [family.search]
    assert not nodes[family.search].HasField("create_time")
    assert distances(lineage(rows, family.search, direction=DOWN)) == {
        family.search: 0,
        family.horse: 1,
        family.evaluation: 2,
    }


def test_a_resource_without_provenance_stands_alone(rows: CatalogRows) -> None:
    name = rows.dataset("alone")

    assert distances(lineage(rows, name)) == {name: 0}


def test_what_nobody_knows_is_not_found(rows: CatalogRows, family: Family) -> None:
    with pytest.raises(errors.NotFound) as caught:
        lineage(rows, named("modules", "sheep"))

    assert caught.value.metadata["resource"] == named("modules", "sheep")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "horse"}, "name"),
        ({"depth": -1}, "depth"),
        ({"max_nodes": -1}, "max_nodes"),
        ({"direction": 9}, "direction"),
    ],
    ids=["name", "depth", "max_nodes", "direction"],
)
def test_arguments_that_mean_nothing_are_refused(
    rows: CatalogRows, family: Family, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        lineage(rows, **{"name": family.horse, **fields})

    assert caught.value.field == field
