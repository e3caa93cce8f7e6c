"""Evaluations of compositions on several data sets at once: all of them are the composition's, exactly as stored."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import evaluation_pb2

Part = evaluation_pb2.EvaluatedPart


@pytest.fixture
def datasets(registry: Any) -> list[Any]:
    return [registry.create_dataset(name) for name in ("digits", "street", "elsewhere")]


@pytest.fixture
def composition(registry: Any, datasets: list[Any]) -> Any:
    sources = {label: (registry.create_model(f"net-{label}"), label) for label in ("horse", "cat")}
    names = [dataset.name for dataset in datasets[:2]]
    return registry.create_composition(registry.composition_message(sources, datasets[0], datasets=names), "pets")


def parts(datasets: list[Any], **changed: Any) -> list[Part]:
    made = [
        Part(dataset=dataset.name, dataset_digest=dataset.digest, labels=[label], sample_count=count)
        for dataset, label, count in zip(datasets[:2], ("horse", "cat"), (4, 6), strict=True)
    ]
    for field, value in changed.items():
        setattr(made[1], field, value)
    return made


def test_what_came_from_each_data_set_is_stored(registry: Any, composition: Any, datasets: list[Any]) -> None:
    made = registry.create_evaluation(composition, datasets[0], parts=parts(datasets), sample_count=10)
    got = registry.call("GetEvaluation", evaluation_pb2.GetEvaluationRequest(name=made.name))
    assert list(got.parts) == parts(datasets)
    measured_on = {edge[2:] for edge in registry.edges() if edge[:2] == (made.name, "RELATION_MEASURED_ON")}
    assert measured_on == {(dataset.name, dataset.digest) for dataset in datasets[:2]}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"dataset": "elsewhere"}, "evaluation.parts[1].dataset", id="not of the composition"),
        pytest.param({"dataset": "digits"}, "evaluation.parts[1].dataset", id="twice"),
        pytest.param({"dataset_digest": f"sha256:{'0' * 64}"}, "evaluation.parts[1].dataset_digest", id="data changed"),
    ],
)
def test_data_sets_that_the_composition_does_not_keep_are_refused(
    registry: Any, composition: Any, datasets: list[Any], changed: dict[str, str], field: str
) -> None:
    if "dataset" in changed:
        changed = {"dataset": f"projects/default/datasets/{changed['dataset']}"}
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_evaluation(composition, datasets[0], parts=parts(datasets, **changed))
    assert caught.value.field == field
    assert caught.value.hint
    request = evaluation_pb2.ListEvaluationsRequest(parent="projects/default")
    assert not registry.call("ListEvaluations", request).evaluations


def test_the_first_part_is_the_data_set_itself(registry: Any, composition: Any, datasets: list[Any]) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_evaluation(composition, datasets[0], parts=parts(datasets)[::-1])
    assert caught.value.field == "evaluation.parts"


def test_only_compositions_have_labels_of_several_data_sets(
    registry: Any, composition: Any, datasets: list[Any]
) -> None:
    model = registry.create_model("other")
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_evaluation(model, datasets[0], parts=parts(datasets)[:1])
    assert caught.value.field == "evaluation.parts"
