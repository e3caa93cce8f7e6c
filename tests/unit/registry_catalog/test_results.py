"""Results of jobs: there as long as everything that they name is."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from modelfoundry.api.decomposer.v1.decomposer_service_pb2 import DecomposeResponse
from modelfoundry.api.decomposer.v1.training_service_pb2 import TrainModelResponse
from modelfoundry.api.evaluator.v1.evaluator_service_pb2 import EvaluateResponse
from modelfoundry.api.registry.v1 import composition_pb2, evaluation_pb2, module_pb2
from modelfoundry.api.reuser.v1.reuser_service_pb2 import ExportResponse
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.registry.jobs.results import Results


@pytest.fixture
def results(registry: Any) -> Results:
    return Results(registry.database, registry.blobs.exists)


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def test_a_result_is_there_as_long_as_its_resources_are(registry: Any, results: Results) -> None:
    base, dataset = registry.create_model("net"), registry.create_dataset("digits")
    module = registry.create_module(base, dataset, "horse")
    evaluation = registry.create_evaluation(module, dataset)
    decomposed = _packed(DecomposeResponse(modules=[module.name]))
    evaluated = _packed(EvaluateResponse(evaluations=[evaluation.name]))
    trained = _packed(TrainModelResponse(model=base.name))

    assert results.are_there(decomposed)
    assert results.are_there(evaluated)
    assert results.are_there(trained)
    registry.call("DeleteModule", module_pb2.DeleteModuleRequest(name=module.name))

    assert not results.are_there(decomposed)
    assert not results.are_there(evaluated)
    assert results.are_there(trained)


def test_a_measurement_that_was_deleted_is_taken_again(registry: Any, results: Results) -> None:
    evaluation = registry.create_evaluation(registry.create_model("net"), registry.create_dataset("digits"))
    evaluated = _packed(EvaluateResponse(evaluations=[evaluation.name]))
    assert results.are_there(evaluated)

    registry.call("DeleteEvaluation", evaluation_pb2.DeleteEvaluationRequest(name=evaluation.name))

    assert not results.are_there(evaluated)


def test_an_export_is_there_as_long_as_its_files_are(registry: Any, results: Results) -> None:
    base = registry.create_model("net")
    response = ExportResponse(subject=base.name)
    response.files.add(path="module.onnx", content=BlobRef(digest=registry.upload(b"exported")))
    exported = _packed(response)

    assert results.are_there(exported)
    registry.blobs.discard(response.files[0].content.digest)

    assert not results.are_there(exported)


def test_a_result_that_cannot_be_read_is_not_there(results: Results) -> None:
    assert not results.are_there(AnyMessage(type_url="type.googleapis.com/no.such.Message", value=b"x"))
    assert not results.are_there(AnyMessage())
    assert not results.are_there(AnyMessage(type_url=_packed(TrainModelResponse()).type_url, value=b"\xff\xff"))


def test_a_composition_that_was_deleted_is_made_again(registry: Any, results: Results) -> None:
    net, twin = registry.create_model("net"), registry.create_model("twin")
    message = registry.composition_message({"cat": (net, "cat"), "dog": (twin, "dog")}, registry.create_dataset())
    composition = registry.create_composition(message)
    evaluated = _packed(EvaluateResponse(evaluations=[composition.name]))
    assert results.are_there(evaluated)

    registry.call("DeleteComposition", composition_pb2.DeleteCompositionRequest(name=composition.name))

    assert not results.are_there(evaluated)
