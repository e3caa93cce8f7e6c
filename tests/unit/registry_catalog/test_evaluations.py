"""Evaluations: they belong to what is stored, exactly as it is stored."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import evaluation_pb2
from modelfoundry.api.types.v1 import compute_pb2, metrics_pb2, problem_pb2

HORSE = problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="horse"))


@pytest.fixture
def base(registry: Any) -> Any:
    return registry.create_model("net")


@pytest.fixture
def dataset(registry: Any) -> Any:
    return registry.create_dataset("digits")


@pytest.fixture
def module(registry: Any, base: Any, dataset: Any) -> Any:
    return registry.create_module(base, dataset, "horse")


def _evaluations(registry: Any, where: str = "", order_by: str = "") -> list[Any]:
    request = evaluation_pb2.ListEvaluationsRequest(parent="projects/default", filter=where, order_by=order_by)
    return list(registry.call("ListEvaluations", request).evaluations)


def test_a_measurement_is_stored_as_it_was_taken(registry: Any, module: Any, dataset: Any) -> None:
    fields: dict[str, Any] = {
        "problem": HORSE,
        "scoring": evaluation_pb2.SCORING_ALL_OUTPUTS,
        "sample_count": 2**40,
        "classification": metrics_pb2.ClassificationMetrics(
            accuracy=0.9173,
            accuracy_interval=metrics_pb2.Interval(lower=0.9, upper=0.93, level=0.95),
            confusion=metrics_pb2.ConfusionMatrix(labels=["a"], rows=[metrics_pb2.ConfusionRow(counts=[2**40, 1])]),
        ),
        "retention": metrics_pb2.RetentionMetrics(weight_retention=0.1),
        "cost": metrics_pb2.CostMetrics(latencies=[metrics_pb2.Latency(batch_size=1, median_ms=0.1)]),
        "operation": "projects/default/operations/op-1",
        "environment": compute_pb2.Environment(device="cpu"),
    }
    made = registry.create_evaluation(module, dataset, **fields)

    got = registry.call("GetEvaluation", evaluation_pb2.GetEvaluationRequest(name=made.name))

    assert got == made
    expected = registry.evaluation_message(module, dataset, **fields)
    expected.name, expected.module = made.name, module.name
    expected.create_time.CopyFrom(made.create_time)
    assert got == expected


def test_a_baseline_names_the_module_whose_problem_it_was_measured_on(
    registry: Any, base: Any, module: Any, dataset: Any
) -> None:
    registry.create_evaluation(module, dataset)
    registry.create_evaluation(base, dataset, module=module.name, problem=HORSE)
    registry.create_evaluation(base, dataset)

    found = _evaluations(registry, f'module = "{module.name}"', "create_time")

    assert [evaluation.subject for evaluation in found] == [module.name, base.name]


def test_evaluations_are_found_and_ordered_by_accuracy(registry: Any, base: Any, dataset: Any) -> None:
    for accuracy in (0.5, 0.9, 0.7):
        registry.create_evaluation(base, dataset, classification=metrics_pb2.ClassificationMetrics(accuracy=accuracy))
    registry.create_evaluation(base, dataset, classification=None)

    def accuracies(where: str, order_by: str = "accuracy") -> list[float]:
        return [evaluation.classification.accuracy for evaluation in _evaluations(registry, where, order_by)]

    assert accuracies("accuracy > 0.6") == [0.7, 0.9]
    assert accuracies("", "accuracy desc") == [0.9, 0.7, 0.5, 0.0]
    assert len(accuracies(f'subject = "{base.name}" split = "test"')) == 4


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no scoring": ({"scoring": evaluation_pb2.SCORING_UNSPECIFIED}, "evaluation.scoring"),
    "unknown scoring": ({"scoring": 99}, "evaluation.scoring"),
    "weights have changed": ({"subject_digest": "sha256:" + "0" * 64}, "evaluation.subject_digest"),
    "no subject digest": ({"subject_digest": ""}, "evaluation.subject_digest"),
    "data has changed": ({"dataset_digest": "sha256:" + "0" * 64}, "evaluation.dataset_digest"),
    "unknown split": ({"split": "tset"}, "evaluation.split"),
    "negative samples": ({"sample_count": -1}, "evaluation.sample_count"),
    "accuracy in percent": (
        {"classification": metrics_pb2.ClassificationMetrics(accuracy=91.73)},
        "evaluation.classification.accuracy",
    ),
    "accuracy NaN": (
        {"classification": metrics_pb2.ClassificationMetrics(accuracy=float("nan"))},
        "evaluation.classification.accuracy",
    ),
    "data set as subject": ({"subject": "projects/default/datasets/digits"}, "evaluation.subject"),
    "subject elsewhere": ({"subject": "projects/other/models/net"}, "evaluation.subject"),
    "operation": ({"operation": "x"}, "evaluation.operation"),
}


@pytest.mark.parametrize(("fields", "field"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_belong_to_the_stored_is_refused(
    registry: Any, base: Any, dataset: Any, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_evaluation(base, dataset, **fields)

    assert caught.value.field == field
    assert caught.value.hint
    assert _evaluations(registry) == []


def test_a_label_that_the_model_lacks_is_refused(registry: Any, base: Any, dataset: Any) -> None:
    problem = problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="dgo"))

    with pytest.raises(errors.UnknownLabel) as caught:
        registry.create_evaluation(base, dataset, problem=problem)

    assert caught.value.metadata["near"] == "dog"


def test_a_module_is_a_baseline_for_no_other_module(registry: Any, module: Any, base: Any, dataset: Any) -> None:
    other_base = registry.create_model("other", registry.weights(5))
    other = registry.create_module(other_base, dataset, "other-horse", registry.artifact(other_base))

    with pytest.raises(errors.InvalidField, match="the subject is"):
        registry.create_evaluation(module, dataset, module=other.name)
    with pytest.raises(errors.InvalidField, match="is a part of projects/default/models/other") as caught:
        registry.create_evaluation(base, dataset, module=other.name)

    assert caught.value.field == "evaluation.module"


@pytest.mark.parametrize("collection", ["models", "modules"])
def test_a_subject_that_is_not_there_is_named(registry: Any, base: Any, dataset: Any, collection: str) -> None:
    name = f"projects/default/{collection}/nothing"

    with pytest.raises(errors.NotFound) as caught:
        registry.create_evaluation(base, dataset, subject=name)

    assert caught.value.metadata["resource"] == name
    assert caught.value.field == "evaluation.subject"
