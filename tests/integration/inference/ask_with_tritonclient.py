"""Asks a server by NVIDIA's `tritonclient`, in an environment of its own: it needs another protobuf than ModelFoundry.

`python ask_with_tritonclient.py ADDRESS IMAGES.npy MODEL...` writes what it got as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException


def asked(client: InferenceServerClient, images: np.ndarray, model: str) -> dict[str, Any]:
    """Everything that the client can learn of a model, and its answers for the images in both data types."""
    metadata = client.get_model_metadata(model, as_json=True)
    (described,) = metadata["inputs"]
    answers = []
    for datatype, batch in (("UINT8", images), ("FP32", images.astype(np.float32) / 255)):
        tensor = InferInput(described["name"], list(batch.shape), datatype)
        tensor.set_data_from_numpy(batch)
        answers.append(client.infer(model, [tensor], request_id="seven"))
    best = client.infer(model, [tensor], outputs=[InferRequestedOutput("probabilities", class_count=1)])
    return {
        "ready": client.is_model_ready(model),
        "metadata": metadata,
        "versions": [answer.get_response().model_version for answer in answers],
        "ids": [answer.get_response().id for answer in answers],
        "probabilities": [answer.as_numpy("probabilities").tolist() for answer in answers],
        "labels": [[label.decode() for label in answer.as_numpy("labels")] for answer in answers],
        "best": [row[0].decode() for row in best.as_numpy("probabilities")],
    }


def refused(client: InferenceServerClient, images: np.ndarray, model: str) -> dict[str, str]:
    """What the client raises for a model that is not there and for images of another shape."""
    wrong = InferInput("images", list(images.shape), "UINT8")
    wrong.set_data_from_numpy(images)
    cut = InferInput("images", list(images[:, :, 1:].shape), "UINT8")
    cut.set_data_from_numpy(np.ascontiguousarray(images[:, :, 1:]))
    found = {}
    for name, call in {
        "model": lambda: client.infer("models/nothing", [wrong]),
        "shape": lambda: client.infer(model, [cut]),
    }.items():
        try:
            call()
        except InferenceServerException as error:
            found[name] = f"{error.status()}: {error.message()}"
    return found


def main() -> None:
    address, path, *models = sys.argv[1:]
    images = np.load(path)
    with InferenceServerClient(address, channel_args=[("grpc.enable_http_proxy", 0)]) as client:
        report = {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "server": client.get_server_metadata(as_json=True),
            "models": {model: asked(client, images, model) for model in models},
            "unknown_ready": client.is_model_ready("models/nothing"),
            "refused": refused(client, images, models[0]),
        }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
