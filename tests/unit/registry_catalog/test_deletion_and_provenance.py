"""Deleting, what stands in its way, and where things came from."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import dataset_pb2, evaluation_pb2, model_pb2, module_pb2, provenance_pb2

DATASET = "projects/default/datasets/digits"
MODEL = "projects/default/models/net"
MODULE = "projects/default/modules/horse"
OPERATION = "projects/default/operations/op-1"


@pytest.fixture
def dataset(registry: Any) -> Any:
    return registry.create_dataset("digits")


@pytest.fixture
def base(registry: Any, dataset: Any) -> Any:
    return registry.create_model("net", training_dataset=dataset.name, operation=OPERATION)


@pytest.fixture
def module(registry: Any, base: Any, dataset: Any) -> Any:
    return registry.create_module(
        base, dataset, "horse", record=module_pb2.DecompositionRecord(algorithm="seam", operation=OPERATION)
    )


def _delete(registry: Any, name: str, etag: str = "") -> None:
    match name.split("/")[2]:
        case "models":
            registry.call("DeleteModel", model_pb2.DeleteModelRequest(name=name, etag=etag))
        case "datasets":
            registry.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=name, etag=etag))
        case "modules":
            registry.call("DeleteModule", module_pb2.DeleteModuleRequest(name=name, etag=etag))
        case "evaluations":
            registry.call("DeleteEvaluation", evaluation_pb2.DeleteEvaluationRequest(name=name))


def _evaluations(registry: Any) -> list[str]:
    response = registry.call("ListEvaluations", evaluation_pb2.ListEvaluationsRequest(parent="projects/default"))
    return [evaluation.name for evaluation in response.evaluations]


def test_what_is_deleted_is_gone_and_its_name_free(registry: Any) -> None:
    first = registry.create_model("net", tags={"a": "b"})
    _delete(registry, MODEL)

    with pytest.raises(errors.NotFound):
        registry.call("GetModel", model_pb2.GetModelRequest(name=MODEL))
    assert registry.models('tags.a = "b" OR labels:"cat"') == []
    with pytest.raises(errors.NotFound):
        _delete(registry, MODEL)
    assert registry.create_model("net").uid != first.uid
    assert registry.models('tags.a = "b"') == []


def test_a_data_set_stays_as_long_as_others_need_it(registry: Any, dataset: Any, base: Any, module: Any) -> None:
    evaluation = registry.create_evaluation(base, dataset)

    with pytest.raises(errors.InUse) as caught:
        _delete(registry, DATASET)

    assert set(caught.value.metadata["dependents"].split(",")) == {MODEL, MODULE, evaluation.name}
    assert MODULE in caught.value.message
    for command in ("model", "module", "evaluation"):
        assert f"`modelfoundry {command} rm`" in caught.value.hint
    assert registry.call("GetDataset", dataset_pb2.GetDatasetRequest(name=DATASET)) == dataset


def test_a_model_stays_as_long_as_others_need_it(registry: Any, module: Any) -> None:
    with pytest.raises(errors.InUse) as caught:
        _delete(registry, MODEL)
    assert caught.value.metadata == {"dependents": MODULE}

    _delete(registry, MODULE)
    _delete(registry, MODEL)
    _delete(registry, DATASET)

    assert registry.models() == []


def test_what_was_measured_can_be_deleted_after_its_measurements(registry: Any, base: Any, dataset: Any) -> None:
    first, second = (registry.create_evaluation(base, dataset, operation=OPERATION) for _ in range(2))
    with pytest.raises(errors.InUse) as caught:
        _delete(registry, MODEL)
    assert set(caught.value.metadata["dependents"].split(",")) == {first.name, second.name}
    assert caught.value.hint == (
        "delete these first: `modelfoundry evaluation rm`, or `client.evaluations.delete` in Python; "
        "or all at once with `--cascade`"
    )

    _delete(registry, first.name)
    assert _evaluations(registry) == [second.name]
    assert registry.edges(f'subject = "{first.name}"') == []
    assert len(registry.edges(f'subject = "{second.name}"')) == 3
    with pytest.raises(errors.InUse):
        _delete(registry, MODEL)
    _delete(registry, second.name)
    _delete(registry, MODEL)
    _delete(registry, DATASET)

    assert registry.edges() == []


def test_a_measurement_that_is_not_there_cannot_be_deleted(registry: Any, base: Any, dataset: Any) -> None:
    evaluation = registry.create_evaluation(base, dataset)
    _delete(registry, evaluation.name)

    with pytest.raises(errors.NotFound) as caught:
        _delete(registry, evaluation.name)
    assert caught.value.metadata["resource"] == evaluation.name
    with pytest.raises(errors.InvalidField) as malformed:
        registry.call("DeleteEvaluation", evaluation_pb2.DeleteEvaluationRequest(name=MODEL))
    assert malformed.value.field == "name"
    assert registry.models() == ["net"]


def test_many_dependents_are_counted_not_all_named(registry: Any, base: Any, dataset: Any) -> None:
    for _ in range(25):
        registry.create_evaluation(base, dataset)

    with pytest.raises(errors.InUse, match="and 5 more") as caught:
        _delete(registry, MODEL)

    assert len(caught.value.metadata["dependents"].split(",")) == 20


def test_a_module_takes_its_evaluations_and_baselines_with_it(
    registry: Any, base: Any, module: Any, dataset: Any
) -> None:
    registry.create_evaluation(module, dataset)
    registry.create_evaluation(base, dataset, module=module.name)
    of_the_base = registry.create_evaluation(base, dataset)

    _delete(registry, MODULE)

    assert _evaluations(registry) == [of_the_base.name]
    assert registry.edges(f'subject = "{MODULE}" OR object = "{MODULE}"') == []
    assert {edge[0] for edge in registry.edges("relation = EVALUATES")} == {of_the_base.name}


def test_an_old_etag_keeps_a_resource_from_being_deleted(registry: Any, base: Any) -> None:
    with pytest.raises(errors.EtagMismatch):
        _delete(registry, MODEL, '"old"')

    _delete(registry, MODEL, base.etag)
    assert registry.models() == []


def test_bytes_stay_as_long_as_a_resource_is_made_of_them(registry: Any, base: Any) -> None:
    with_same_weights = registry.create_model("twin")
    assert with_same_weights.weights == base.weights

    assert not registry.blobs.discard(base.weights.digest)
    _delete(registry, MODEL)
    assert not registry.blobs.discard(base.weights.digest)
    _delete(registry, with_same_weights.name)

    assert registry.blobs.discard(base.weights.digest)


def test_provenance_is_written_with_the_resource(registry: Any, dataset: Any, base: Any, module: Any) -> None:
    evaluation = registry.create_evaluation(module, dataset, operation=OPERATION)

    assert registry.edges() == [
        (MODEL, "RELATION_TRAINED_ON", DATASET, dataset.digest),
        (MODEL, "RELATION_PRODUCED_BY", OPERATION, ""),
        (MODULE, "RELATION_MODULE_OF", MODEL, base.weights.digest),
        (MODULE, "RELATION_TRAINED_ON", DATASET, dataset.digest),
        (MODULE, "RELATION_PRODUCED_BY", OPERATION, ""),
        (evaluation.name, "RELATION_EVALUATES", MODULE, module.artifact.digest),
        (evaluation.name, "RELATION_MEASURED_ON", DATASET, dataset.digest),
        (evaluation.name, "RELATION_PRODUCED_BY", OPERATION, ""),
    ]


def test_provenance_is_walked_both_ways(registry: Any, dataset: Any, base: Any, module: Any) -> None:
    from_the_model = registry.edges(f'object = "{MODEL}" relation = MODULE_OF')
    of_the_module = registry.edges(f'subject = "{MODULE}" AND relation != PRODUCED_BY')

    assert [edge[0] for edge in from_the_model] == [MODULE]
    assert [edge[2] for edge in of_the_module] == [MODEL, DATASET]
    assert len(registry.edges(f'object_digest = "{dataset.digest}"')) == 2


@pytest.mark.parametrize("where", ["relation = MADE_OF", "relation < MODULE_OF", "relation:MODULE_OF", "name = x"])
def test_a_relation_that_is_none_is_refused(registry: Any, where: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.edges(where)

    assert caught.value.field == "filter"


def test_pages_of_provenance_are_the_whole_in_order(registry: Any, dataset: Any, base: Any, module: Any) -> None:
    edges: list[Any] = []
    token = ""
    while True:
        request = provenance_pb2.ListProvenanceEdgesRequest(parent="projects/default", page_size=2, page_token=token)
        response = registry.call("ListProvenanceEdges", request)
        assert len(response.edges) <= 2
        edges += [(edge.subject, edge.object) for edge in response.edges]
        token = response.next_page_token
        if not token:
            break

    assert edges == [(edge[0], edge[2]) for edge in registry.edges()]
