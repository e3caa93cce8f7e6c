"""The Open Inference Protocol as the reuser serves it, called through generated stubs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from served_models import KINDS, Served, predicted

from modelfoundry import errors
from modelfoundry.api.inference.v2 import open_inference_pb2 as pb
from modelfoundry.api.inference.v2 import open_inference_pb2_grpc as pb_grpc
from modelfoundry.client.endpoints import Service
from modelfoundry.client.statuses import error_from_call

Infer = pb.ModelInferRequest


@pytest.fixture(scope="module")
def channel(served: Served) -> Iterator[grpc.Channel]:
    address = served.stack.endpoints.reuser
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> pb_grpc.GRPCInferenceServiceStub:
    return pb_grpc.GRPCInferenceServiceStub(channel)


def asking(images: np.ndarray, name: str = "models/a", **fields: object) -> Infer:
    """A request with raw content, of uint8 or float32 images."""
    datatype = {"uint8": "UINT8", "float32": "FP32"}[images.dtype.name]
    tensor = Infer.InferInputTensor(name="images", datatype=datatype, shape=images.shape)
    return Infer(model_name=name, inputs=[tensor], raw_input_contents=[images.tobytes()], **fields)


def texts(raw: bytes) -> list[str]:
    found = []
    while raw:
        (length,) = struct.unpack_from("<I", raw)
        found.append(raw[4 : 4 + length].decode())
        raw = raw[4 + length :]
    return found


@pytest.mark.parametrize("name", KINDS)
def test_the_answers_are_those_of_predict(served: Served, stub: pb_grpc.GRPCInferenceServiceStub, name: str) -> None:
    probabilities, labels = predicted(served, name)
    for images in (served.images, served.images.astype(np.float32) / 255):
        answer = stub.ModelInfer(asking(images, name, id="seven"))
        numbers, best = answer.outputs
        assert (answer.id, answer.model_version) == ("seven", served.versions[name])
        assert (numbers.name, numbers.datatype, list(numbers.shape)) == (
            "probabilities",
            "FP32",
            [*probabilities.shape],
        )
        assert (best.name, best.datatype, list(best.shape)) == ("labels", "BYTES", [12])
        found = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(probabilities.shape)
        assert np.array_equal(found, probabilities)
        assert texts(answer.raw_output_contents[1]) == labels


@pytest.mark.parametrize("name", KINDS)
def test_metadata_is_what_infer_takes_and_gives(
    served: Served, stub: pb_grpc.GRPCInferenceServiceStub, name: str
) -> None:
    found = stub.ModelMetadata(pb.ModelMetadataRequest(name=name))
    collection = found.name.split("/")[2]
    assert found.platform == f"modelfoundry_{collection.removesuffix('s')}"
    assert list(found.versions) == [served.versions[name]]
    (images,) = found.inputs
    assert (images.name, images.datatype, list(images.shape)) == ("images", "UINT8", [-1, 1, 8, 8])
    assert [(each.name, each.datatype, list(each.shape)) for each in found.outputs] == [
        ("probabilities", "FP32", [-1, len(served.labels[name])]),
        ("labels", "BYTES", [-1]),
    ]
    assert stub.ModelMetadata(pb.ModelMetadataRequest(name=found.name, version=found.versions[0])) == found


def test_typed_content_is_answered_with_typed_content(served: Served, stub: pb_grpc.GRPCInferenceServiceStub) -> None:
    probabilities, labels = predicted(served, "models/a")
    raw = asking(served.images)
    typed = Infer(model_name="models/a", inputs=raw.inputs)
    typed.inputs[0].contents.uint_contents[:] = served.images.flatten().tolist()
    answer = stub.ModelInfer(typed)
    assert not answer.raw_output_contents
    assert list(answer.outputs[0].contents.fp32_contents) == probabilities.flatten().tolist()
    assert [each.decode() for each in answer.outputs[1].contents.bytes_contents] == labels
    typed.inputs[0].datatype = "FP32"
    typed.inputs[0].contents.Clear()
    typed.inputs[0].contents.fp32_contents[:] = (served.images.flatten().astype(np.float32) / 255).tolist()
    assert stub.ModelInfer(typed) == answer


def test_only_the_outputs_that_are_wanted_come(served: Served, stub: pb_grpc.GRPCInferenceServiceStub) -> None:
    probabilities, labels = predicted(served, "models/a")
    two = pb.InferParameter(int64_param=2)
    wanted = [
        Infer.InferRequestedOutputTensor(name="labels"),
        Infer.InferRequestedOutputTensor(name="probabilities", parameters={"classification": two}),
    ]
    answer = stub.ModelInfer(asking(served.images, outputs=wanted))
    assert [each.name for each in answer.outputs] == ["labels", "probabilities"]
    assert (answer.outputs[1].datatype, list(answer.outputs[1].shape)) == ("BYTES", [12, 2])
    best = [each.split(":") for each in texts(answer.raw_output_contents[1])[::2]]
    assert [label for _, _, label in best] == labels == texts(answer.raw_output_contents[0])
    assert [int(column) for _, column, _ in best] == probabilities.argmax(axis=1).tolist()
    assert [float(value) for value, _, _ in best] == pytest.approx(probabilities.max(axis=1).tolist(), abs=1e-6)
    wanted[1].parameters["classification"].int64_param = 100
    assert list(stub.ModelInfer(asking(served.images, outputs=wanted)).outputs[1].shape) == [12, 3]


def test_the_server_says_what_it_is_and_that_it_is_ready(stub: pb_grpc.GRPCInferenceServiceStub) -> None:
    assert stub.ServerLive(pb.ServerLiveRequest()).live
    assert stub.ServerReady(pb.ServerReadyRequest()).ready
    found = stub.ServerMetadata(pb.ServerMetadataRequest())
    assert (found.name, list(found.extensions)) == ("modelfoundry", ["classification"])
    assert found.version


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [
        pytest.param("models/a", "", True, id="there"),
        pytest.param("a", "", True, id="a bare id"),
        pytest.param("models/nothing", "", False, id="not there"),
        pytest.param("nothing", "", False, id="a bare id of nothing"),
        pytest.param("models/a", f"sha256:{'0' * 64}", False, id="another version"),
        pytest.param("models/a", "champion", False, id="an alias of nothing"),
        pytest.param("datasets/low", "", False, id="no model"),
        pytest.param("", "", False, id="no name"),
    ],
)
def test_a_model_is_ready_when_it_is_registered(
    stub: pb_grpc.GRPCInferenceServiceStub, name: str, version: str, ready: bool
) -> None:
    assert stub.ModelReady(pb.ModelReadyRequest(name=name, version=version)).ready is ready


def test_the_service_is_part_of_reflection(channel: grpc.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
    assert "inference.GRPCInferenceService" in {each.name for each in answer.list_services_response.service}


def changed(**fields: object) -> Callable[[Infer], None]:
    def change(request: Infer) -> None:
        for name, value in fields.items():
            target = request if name.startswith("model_") else request.inputs[0]
            if isinstance(value, list):
                getattr(target, name)[:] = value
            else:
                setattr(target, name, value)

    return change


def change_raw(content: list[bytes]) -> Callable[[Infer], None]:
    def change(request: Infer) -> None:
        request.raw_input_contents[:] = content

    return change


def as_floats(factor: float) -> Callable[[Infer], None]:
    def change(request: Infer) -> None:
        request.inputs[0].datatype = "FP32"
        pixels = np.frombuffer(request.raw_input_contents[0], np.uint8).astype("<f4") * np.float32(factor)
        request.raw_input_contents[0] = pixels.tobytes()

    return change


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        pytest.param(changed(model_name="models/aa"), errors.NotFound, "model_name", id="unknown model"),
        pytest.param(changed(model_name="aa"), errors.NotFound, "model_name", id="unknown bare id"),
        pytest.param(changed(model_name="datasets/low"), errors.InvalidField, "model_name", id="no model"),
        pytest.param(changed(model_name=""), errors.InvalidField, "model_name", id="no name"),
        pytest.param(changed(model_version=f"sha256:{'0' * 64}"), errors.NotFound, "model_name", id="unknown version"),
        pytest.param(changed(name="pixels"), errors.InvalidField, "inputs", id="unknown input"),
        pytest.param(lambda request: request.inputs.add(name="more"), errors.InvalidField, "inputs", id="two inputs"),
        pytest.param(changed(datatype="INT8"), errors.InvalidField, "inputs[0].datatype", id="data type"),
        pytest.param(changed(shape=[12, 8, 8, 1]), errors.InvalidImage, "inputs[0].shape", id="channels last"),
        pytest.param(changed(shape=[12, 64]), errors.InvalidImage, "inputs[0].shape", id="two extents"),
        pytest.param(changed(shape=[]), errors.InvalidImage, "inputs[0].shape", id="no extents"),
        pytest.param(changed(shape=[0, 1, 8, 8]), errors.InvalidImage, "inputs[0].shape", id="no image"),
        pytest.param(changed(shape=[1025, 1, 8, 8]), errors.InvalidImage, "inputs[0].shape", id="too many images"),
        pytest.param(changed(shape=[-12, 1, 8, 8]), errors.InvalidImage, "inputs[0].shape", id="negative"),
        pytest.param(changed(shape=[11, 1, 8, 8]), errors.InvalidImage, "raw_input_contents[0]", id="too many bytes"),
        pytest.param(changed(datatype="FP32"), errors.InvalidImage, "raw_input_contents[0]", id="too few bytes"),
        pytest.param(change_raw([b"", b""]), errors.InvalidField, "raw_input_contents", id="two raw tensors"),
        pytest.param(change_raw([]), errors.InvalidImage, "inputs[0].contents.uint_contents", id="no content"),
        pytest.param(
            lambda request: request.inputs[0].contents.SetInParent(),
            errors.InvalidField,
            "raw_input_contents",
            id="raw and typed",
        ),
        pytest.param(as_floats(1.0), errors.InvalidImage, "inputs[0]", id="floats up to 255"),
        pytest.param(as_floats(float("nan")), errors.InvalidImage, "inputs[0]", id="not a number"),
        pytest.param(
            lambda request: request.outputs.add(name="logits"), errors.InvalidField, "outputs[0].name", id="output"
        ),
        pytest.param(
            lambda request: [request.outputs.add(name="labels") for _ in range(2)],
            errors.InvalidField,
            "outputs[1].name",
            id="output twice",
        ),
        pytest.param(
            lambda request: request.outputs.add(name="labels").parameters["shared_memory_region"].SetInParent(),
            errors.InvalidField,
            'outputs[0].parameters["shared_memory_region"]',
            id="parameter of an output",
        ),
        pytest.param(
            lambda request: request.outputs.add(name="probabilities").parameters["classification"].SetInParent(),
            errors.InvalidField,
            'outputs[0].parameters["classification"]',
            id="no number of labels",
        ),
        pytest.param(
            lambda request: request.inputs[0].parameters["binary_data_size"].SetInParent(),
            errors.InvalidField,
            'inputs[0].parameters["binary_data_size"]',
            id="parameter of an input",
        ),
        pytest.param(
            lambda request: request.parameters["sequence_id"].SetInParent(),
            errors.InvalidField,
            'parameters["sequence_id"]',
            id="parameter",
        ),
    ],
)
def test_a_wrong_request_is_told_what_to_do(
    served: Served,
    stub: pb_grpc.GRPCInferenceServiceStub,
    change: Callable[[Infer], object],
    error: type[errors.ModelFoundryError],
    field: str,
) -> None:
    request = asking(served.images)
    change(request)
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request)
    code = grpc.StatusCode.NOT_FOUND if error is errors.NotFound else grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.code() is code
    told = error_from_call(caught.value, Service.REUSER, "", 0)
    assert (type(told), told.field) == (error, field)
    assert told.hint


def test_a_typed_number_that_is_no_pixel_is_refused(served: Served, stub: pb_grpc.GRPCInferenceServiceStub) -> None:
    request = asking(served.images[:1])
    del request.raw_input_contents[:]
    request.inputs[0].contents.uint_contents[:] = [256, *[0] * 63]
    with pytest.raises(grpc.RpcError, match="256 is no pixel"):
        stub.ModelInfer(request)


def test_a_deleted_model_is_not_served_from_memory(served: Served, stub: pb_grpc.GRPCInferenceServiceStub) -> None:
    served.client.models.create(served.client.models.get("a"), model_id="short-lived")
    stub.ModelInfer(asking(served.images, "models/short-lived"))
    served.client.models.delete("short-lived")
    assert not stub.ModelReady(pb.ModelReadyRequest(name="models/short-lived")).ready
    with pytest.raises(grpc.RpcError, match="short-lived") as caught:
        stub.ModelInfer(asking(served.images, "models/short-lived"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_an_alias_is_a_version_and_moves(served: Served, stub: pb_grpc.GRPCInferenceServiceStub) -> None:
    for model in ("a", "b"):
        served.client.aliases.set("models/digits@live", f"models/{model}")
        wanted = stub.ModelInfer(asking(served.images, f"models/{model}"))
        for name, version in (("models/digits", "live"), ("models/digits@live", ""), ("digits", "live")):
            answer = stub.ModelInfer(asking(served.images, name, model_version=version))
            assert (answer.model_version, answer.raw_output_contents) == (
                wanted.model_version,
                wanted.raw_output_contents,
            )
    assert stub.ModelReady(pb.ModelReadyRequest(name="models/digits", version="live")).ready
