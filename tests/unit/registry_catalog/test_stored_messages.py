"""Messages from stored JSON: what protobuf's own reader gives, more quickly."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from modelfoundry.api.registry.v1 import evaluation_pb2, module_pb2
from modelfoundry.api.types.v1 import compute_pb2, metrics_pb2, problem_pb2
from modelfoundry.registry.records.stored_messages import packed_module, stored_message


def _record() -> module_pb2.DecompositionRecord:
    record = module_pb2.DecompositionRecord(
        algorithm="seam",
        seed=-(2**62),
        validation_samples=2**53 + 1,
        chosen_epoch=3,
        fell_back=True,
        environment=compute_pb2.Environment(device="cpu", libraries={"torch": "2.9", "numpy": "2.3"}),
    )
    record.settings.update({"rate": 0.5, "layers": ["a", {"b": None}], "whole": 3})
    return record


MESSAGES = [
    _record(),
    metrics_pb2.RetentionMetrics(
        weight_retention=1.0, total_weights=2**40, layers=[metrics_pb2.LayerRetention(layer="x", kept_weights=7)] * 3
    ),
    evaluation_pb2.Evaluation(
        scoring=evaluation_pb2.SCORING_RESTRICTED,
        problem=problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="é")),
        classification=metrics_pb2.ClassificationMetrics(
            accuracy=1 / 3,
            confusion=metrics_pb2.ConfusionMatrix(labels=["a"], rows=[metrics_pb2.ConfusionRow(counts=[1, 2**60])]),
        ),
        cost=metrics_pb2.CostMetrics(latencies=[metrics_pb2.Latency(batch_size=1, median_ms=1e-9)]),
        create_time={"seconds": 5, "nanos": 7000},
    ),
    module_pb2.DecompositionRecord(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.DESCRIPTOR.name)
def test_a_message_is_read_as_protobuf_reads_it(message: Any) -> None:
    content = MessageToDict(message, preserving_proto_field_name=True)

    assert stored_message(type(message), content) == ParseDict(content, type(message)()) == message


def test_fields_that_are_not_known_are_passed_over() -> None:
    content = {"algorithm": "seam", "newer": 1, "environment": {"device": "cpu", "newer": {}}}

    assert stored_message(module_pb2.DecompositionRecord, content).environment.device == "cpu"


@pytest.mark.parametrize("retention", [None, {}, {"weight_retention": 0.5}])
def test_a_packed_module_has_its_record_and_what_it_kept(retention: dict[str, Any] | None) -> None:
    module = module_pb2.Module.FromString(packed_module({"algorithm": "seam"}, retention))

    assert module.record.algorithm == "seam"
    assert module.HasField("retention") is (retention is not None)
