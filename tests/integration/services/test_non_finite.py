"""Finite weights whose outputs are NaN: refused when they are pushed, and by name wherever else they turn up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import safetensors.torch
from service_stack import ServiceStack

from modelfoundry import errors
from modelfoundry.api.inference.v2 import open_inference_pb2 as pb
from modelfoundry.api.inference.v2 import open_inference_pb2_grpc as pb_grpc
from modelfoundry.client import Architecture, Client, InputSpec, Model
from modelfoundry.client.endpoints import Service
from modelfoundry.client.statuses import error_from_call
from modelfoundry.core.networks import build_network

ARCHITECTURE = Architecture("zoo:digits_cnn")
SPEC = InputSpec(1, 8, 8)
DIGITS = tuple(map(str, range(10)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finite, and far too large."""
    path = tmp_path_factory.mktemp("weights") / "huge.safetensors"
    state = {
        name: value * 1e30 if name.endswith("weight") else value
        for name, value in build_network(ARCHITECTURE, 10, SPEC).state_dict().items()
    }
    assert all(value.isfinite().all() for value in state.values())
    safetensors.torch.save_file(state, path)
    return path


@pytest.fixture(scope="module")
def client(shared_stack: ServiceStack) -> Iterator[Client]:
    with Client(shared_stack.endpoints, parent="projects/non-finite") as client:
        client.datasets.push("digits", dataset_id="digits")
        yield client


@pytest.fixture(scope="module")
def model(client: Client, weights: Path) -> Model:
    """Registered past the door, as one of an older version may be."""
    blob = client.blobs.upload(weights)
    return client.models.create(
        Model(architecture=ARCHITECTURE, input=SPEC, labels=DIGITS, weights=blob), model_id="registered"
    )


def test_they_are_refused_when_they_are_pushed(client: Client, weights: Path) -> None:
    with pytest.raises(errors.NonFiniteOutputs, match="of 4 images"):
        client.models.push(weights, architecture=ARCHITECTURE, input=SPEC, labels=DIGITS, model_id="pushed")
    with pytest.raises(errors.NotFound):
        client.models.get("pushed")


def test_they_are_measured_by_no_figure(client: Client, model: Model) -> None:
    with pytest.raises(errors.NonFiniteOutputs):
        client.evaluate(model, "digits").wait(timeout=240)
    assert list(client.evaluations.list()) == []


@pytest.mark.parametrize("algorithm", ["seam", "magnitude", "gradsplitter", "specialise"])
def test_no_algorithm_takes_them_apart(client: Client, model: Model, algorithm: str) -> None:
    if algorithm == "gradsplitter":
        job = client.decompose_all(model, "digits")
    else:
        job = client.decompose(model, "digits", label="3", algorithm=algorithm)
    with pytest.raises(errors.NonFiniteOutputs):
        job.wait(timeout=240)


def test_they_predict_nothing(client: Client, model: Model, shared_stack: ServiceStack) -> None:
    image = np.full((1, 8, 8), 200, dtype=np.uint8)
    with pytest.raises(errors.NonFiniteOutputs):
        client.predict(model, [image])
    asked = pb.ModelInferRequest(
        model_name=f"{model.name}",
        inputs=[pb.ModelInferRequest.InferInputTensor(name="images", datatype="UINT8", shape=[1, 1, 8, 8])],
        raw_input_contents=[image.tobytes()],
    )
    address = shared_stack.endpoints.reuser
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(asked, timeout=60)
    assert isinstance(error_from_call(caught.value, Service.REUSER, address, 60), errors.NonFiniteOutputs)


@pytest.mark.parametrize("form", ["onnx", "torch_export"])
def test_they_are_not_written_as_a_program(client: Client, model: Model, form: str) -> None:
    with pytest.raises(errors.NonFiniteOutputs):
        client.export(model, form).wait(timeout=240)
