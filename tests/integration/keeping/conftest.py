"""A registry as a process of its own, on each blob store in turn, with a way to its rows behind its back."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from blob_backends import BlobBackend, MinioBackend
from service_stack import ServiceStack, minio_settings, running_stack
from warm_python import finished

from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobFinding,
    BlobRef,
    Client,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    InputSpec,
    Model,
    Module,
)

PARENT = "projects/default"
LABELS = ("cat", "dog", "horse")


def safetensors(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    types = {"float32": "F32", "uint8": "U8", "int64": "I64"}
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, array in tensors.items():
        content = array.tobytes()
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": types[str(array.dtype)], "shape": list(array.shape), "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def weights(seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).normal(size=(3, 16)).astype(np.float32)
    return safetensors({"fc.weight": values, "fc.bias": np.zeros(3, dtype=np.float32)})


@dataclass
class Registry:
    """A running registry that may be killed, and a client of it."""

    stack: ServiceStack
    client: Client
    backend: BlobBackend

    @property
    def environment(self) -> dict[str, str]:
        """Settings of the registry, for commands that run next to it."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELFOUNDRY_")}
        return {
            **inherited,
            "MODELFOUNDRY_HOME": str(self.stack.folder),
            "MODELFOUNDRY_REGISTRY": self.stack.endpoints.registry,
            **self.stack.settings,
        }

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """A `modelfoundry` command with the settings of the registry, or others."""
        return finished("modelfoundry.cli", *arguments, env={**self.environment, **settings})

    def restart(self) -> None:
        """Kills it and starts it again."""
        self.stack.kill("registry")
        self.stack.start("registry")
        self.stack.wait_healthy("registry")

    def age_blobs(self, hours: int) -> None:
        """Makes all blobs look older."""
        path = self.stack.folder / "registry" / "registry.db"
        with closing(sqlite3.connect(path, timeout=30)) as database, database:
            database.execute(
                "UPDATE blobs SET touch_time = strftime('%Y-%m-%d %H:%M:%f000', touch_time, ?)", (f"-{hours} hours",)
            )

    def findings(self) -> list[BlobFinding]:
        """What a check of all blobs finds."""
        return [event for event in self.client.maintenance.check_blobs() if isinstance(event, BlobFinding)]

    def add_model(self, model_id: str, content: bytes, client: Client | None = None) -> Model:
        client = client or self.client
        model = Model(
            architecture=Architecture("zoo:digits_cnn"),
            input=InputSpec(1, 8, 8),
            labels=LABELS,
            weights=client.blobs.upload(content),
        )
        return client.models.create(model, model_id=model_id)

    def add_dataset(self, dataset_id: str) -> Dataset:
        images = np.zeros((3, 1, 8, 8), dtype=np.uint8)
        content = safetensors({"images": images, "labels": np.array([0, 1, 2], dtype=np.int64)})
        split = DatasetSplit(split="train", content=self.client.blobs.upload(content))
        return self.client.datasets.create(Dataset(labels=LABELS, splits=(split,)), dataset_id=dataset_id)

    def add_module(self, module_id: str, base: Model, dataset: Dataset, seed: int = 0) -> Module:
        metadata = {
            "format": "modelfoundry.module",
            "format_version": "1",
            "base_digest": base.weights.digest,
            "problem": json.dumps({"binary": {"label": "horse"}}),
            "layout": json.dumps([["fc.weight", [3, 16]]]),
            "algorithm": "seam",
        }
        tensors = {
            "masks": np.random.default_rng(seed).integers(0, 255, 6, dtype=np.uint8),
            "head.weight": np.ones((2, 3), dtype=np.float32),
            "head.bias": np.zeros(2, dtype=np.float32),
        }
        module = Module(
            base_model=base.name,
            problem=BinaryProblem("horse"),
            artifact=self.client.blobs.upload(safetensors(tensors, metadata)),
            dataset=dataset.name,
            record=DecompositionRecord(algorithm="seam"),
        )
        return self.client.modules.create(module, module_id=module_id)

    def content(self, blob: BlobRef, folder: Path) -> bytes:
        """The bytes of a blob."""
        path = self.client.blobs.download(blob, folder / blob.digest.removeprefix("sha256:"))
        content = path.read_bytes()
        path.unlink()
        return content


def settings_of(backend: BlobBackend) -> dict[str, str]:
    if isinstance(backend, MinioBackend):
        return minio_settings(backend.server, backend.bucket)
    return {"MODELFOUNDRY_REGISTRY_FOLDER": backend.arguments[1]}


@contextmanager
def running_registry(folder: Path, backend: BlobBackend) -> Iterator[Registry]:
    folder.mkdir(exist_ok=True)
    settings = {**settings_of(backend), "MODELFOUNDRY_REGISTRY_GC_INTERVAL_HOURS": "0"}
    with running_stack(folder, settings, names=("registry",)) as stack, Client(stack.endpoints) as client:
        yield Registry(stack, client, backend)


@pytest.fixture
def registry(blob_backend: BlobBackend, tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "home", blob_backend) as running:
        yield running
