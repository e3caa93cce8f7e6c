"""A whole catalog on a real database and blob folder, driven through its servicer's messages."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composition_zoo import Zoo
from registry_rooms import followed_shelf

from modelfoundry.api.registry.v1 import (
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
    provenance_pb2,
)
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2, metrics_pb2, problem_pb2
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.catalog.catalog import Catalog
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.registry_service import RegistryServicer
from modelfoundry.values.resources import BlobRef

PARENT = "projects/default"
LABELS = ("cat", "dog", "horse")
DTYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "uint8": "U8", "int64": "I64"}


def raw_safetensors(header: object, data: bytes = b"") -> bytes:
    """A file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safetensors(tensors: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A sound file."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    data = b""
    for name, array in tensors.items():
        content = array.tobytes()
        header[name] = {
            "dtype": DTYPES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    return raw_safetensors(header, data)


class Registry:
    """Drives a servicer: what is not given is filled in with something that works."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.database = Database(url)
        self.blobs = Blobs(self.database, LocalBlobStore(folder / "blobs"))
        self.shelf = followed_shelf(self.database, self.blobs)
        self.servicer = RegistryServicer(self.shelf)
        self._spool = folder / "spool"
        self._spool.mkdir()

    def call(self, method: str, request: Any) -> Any:
        return asyncio.run(getattr(self.servicer, method)(request, None))

    def close(self) -> None:
        self.servicer.close()
        self.database.close()

    def upload(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        path = self._spool / digest
        path.write_bytes(content)
        self.blobs.add_file(path, BlobRef(digest, len(content)))
        return digest

    def weights(self, seed: int = 0, outputs: int = 3) -> bytes:
        random = np.random.default_rng(seed)
        return safetensors(
            {
                "conv.weight": random.normal(size=(4, 1, 3, 3)).astype(np.float32),
                "fc.weight": random.normal(size=(outputs, 16)).astype(np.float32),
                "fc.bias": np.zeros(outputs, dtype=np.float32),
            }
        )

    def split(self, labels: Sequence[int] = (0, 1, 2, 0), size: int = 8, seed: int = 0) -> bytes:
        random = np.random.default_rng(seed)
        images = random.integers(0, 256, size=(len(labels), 1, size, size), dtype=np.uint8)
        return safetensors({"images": images, "labels": np.array(labels, dtype=np.int64)})

    def artifact(self, base: model_pb2.Model, posed: Any = None, /, outputs: int = 2, **changes: str) -> bytes:
        metadata = {
            "format": "modelfoundry.module",
            "format_version": "1",
            "base_digest": base.weights.digest,
            "problem": json.dumps(posed or {"binary": {"label": "horse"}}),
            "layout": json.dumps([["conv.weight", [4, 1, 3, 3]], ["fc.weight", [3, 16]], ["fc.bias", [3]]]),
            "algorithm": "seam",
        }
        return safetensors(
            {
                "masks": np.arange(40, dtype=np.uint8),
                "head.weight": np.ones((outputs, 3), dtype=np.float32),
                "head.bias": np.zeros(outputs, dtype=np.float32),
            },
            {**metadata, **changes},
        )

    def model_message(
        self, weights: bytes | None = None, weights_ref: blob_pb2.BlobRef | None = None, **fields: Any
    ) -> model_pb2.Model:
        defaults: dict[str, Any] = {
            "architecture": architecture_pb2.Architecture(builder="zoo:digits_cnn"),
            "input": architecture_pb2.InputSpec(channels=1, height=8, width=8, mean=[0.5], std=[0.25]),
            "labels": LABELS,
            "weights": weights_ref or self.ref(weights or self.weights()),
        }
        return model_pb2.Model(**{**defaults, **fields})

    def ref(self, content: bytes) -> blob_pb2.BlobRef:
        return blob_pb2.BlobRef(digest=self.upload(content))

    def create_model(
        self, model_id: str = "", weights: bytes | None = None, call: Mapping[str, Any] | None = None, **fields: Any
    ) -> Any:
        model = self.model_message(weights, **fields)
        request = model_pb2.CreateModelRequest(parent=PARENT, model_id=model_id, model=model, **(call or {}))
        return self.call("CreateModel", request)

    def dataset_message(self, splits: Mapping[str, bytes] | None = None, **fields: Any) -> dataset_pb2.Dataset:
        contents = splits or {"train": self.split(seed=1), "test": self.split(seed=2)}
        message = dataset_pb2.Dataset(**{"labels": LABELS, **fields})
        for name, content in contents.items():
            message.splits.add(split=name, content=self.ref(content))
        return message

    def create_dataset(self, dataset_id: str = "", splits: Mapping[str, bytes] | None = None, **fields: Any) -> Any:
        dataset = self.dataset_message(splits, **fields)
        return self.call(
            "CreateDataset",
            dataset_pb2.CreateDatasetRequest(parent=PARENT, dataset_id=dataset_id, dataset=dataset),
        )

    def module_message(
        self, base: Any, dataset: Any, /, artifact: bytes | None = None, **fields: Any
    ) -> module_pb2.Module:
        defaults: dict[str, Any] = {
            "base_model": base.name,
            "problem": problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="horse")),
            "artifact": self.ref(self.artifact(base) if artifact is None else artifact),
            "dataset": dataset.name,
            "record": module_pb2.DecompositionRecord(algorithm="seam", seed=7),
            "retention": metrics_pb2.RetentionMetrics(weight_retention=0.125, kept_weights=10, total_weights=80),
        }
        return module_pb2.Module(**{**defaults, **fields})

    def create_module(
        self, base: Any, dataset: Any, /, module_id: str = "", artifact: bytes | None = None, **fields: Any
    ) -> Any:
        module = self.module_message(base, dataset, artifact, **fields)
        return self.call(
            "CreateModule", module_pb2.CreateModuleRequest(parent=PARENT, module_id=module_id, module=module)
        )

    def composition_message(
        self, sources: Mapping[str, tuple[Any, str]], dataset: Any, /, **fields: Any
    ) -> composition_pb2.Composition:
        """`sources`: for every label its module or model, and the label's name there."""
        defaults: dict[str, Any] = {
            "task": composition_pb2.Composition.TASK_NEW_TASK,
            "members": [
                composition_pb2.CompositionMember(label=label, source=source.name, source_label=name, scale=1)
                for label, (source, name) in sources.items()
            ],
            "input": architecture_pb2.InputSpec(channels=1, height=8, width=8),
            "datasets": [dataset.name],
            "record": composition_pb2.CompositionRecord(strategy="per_label_best"),
        }
        return composition_pb2.Composition(**{**defaults, **fields})

    def create_composition(self, composition: Any, composition_id: str = "", **call: Any) -> Any:
        request = composition_pb2.CreateCompositionRequest(
            parent=PARENT, composition_id=composition_id, composition=composition, **call
        )
        return self.call("CreateComposition", request)

    def compositions(self, where: str = "", order_by: str = "name") -> list[str]:
        """Last segments of the names of the compositions that fit."""
        request = composition_pb2.ListCompositionsRequest(parent=PARENT, filter=where, order_by=order_by)
        response = self.call("ListCompositions", request)
        return [composition.name.rpartition("/")[2] for composition in response.compositions]

    def evaluation_message(self, subject: Any, dataset: Any, /, **fields: Any) -> evaluation_pb2.Evaluation:
        match subject:
            case module_pb2.Module():
                digest = subject.artifact.digest
            case composition_pb2.Composition():
                digest = subject.digest
            case _:
                digest = subject.weights.digest
        defaults: dict[str, Any] = {
            "subject": subject.name,
            "subject_digest": digest,
            "scoring": evaluation_pb2.SCORING_ALL_OUTPUTS,
            "dataset": dataset.name,
            "dataset_digest": dataset.digest,
            "split": "test",
            "sample_count": 4,
            "classification": metrics_pb2.ClassificationMetrics(accuracy=0.75),
        }
        return evaluation_pb2.Evaluation(**{**defaults, **fields})

    def create_evaluation(self, subject: Any, dataset: Any, /, **fields: Any) -> Any:
        evaluation = self.evaluation_message(subject, dataset, **fields)
        return self.call(
            "CreateEvaluation", evaluation_pb2.CreateEvaluationRequest(parent=PARENT, evaluation=evaluation)
        )

    def models(self, where: str = "", order_by: str = "", page_size: int = 0) -> list[str]:
        """Last segments of the names of all models that fit, walking all pages."""
        names: list[str] = []
        token = ""
        while True:
            response = self.call(
                "ListModels",
                model_pb2.ListModelsRequest(
                    parent=PARENT, filter=where, order_by=order_by, page_size=page_size, page_token=token
                ),
            )
            names += [model.name.rpartition("/")[2] for model in response.models]
            token = response.next_page_token
            if not token:
                return names

    def edges(self, where: str = "") -> list[tuple[str, str, str, str]]:
        response = self.call(
            "ListProvenanceEdges", provenance_pb2.ListProvenanceEdgesRequest(parent=PARENT, filter=where)
        )
        return [
            (edge.subject, provenance_pb2.Relation.Name(edge.relation), edge.object, edge.object_digest)
            for edge in response.edges
        ]


@pytest.fixture
def registry(tmp_path: Path, database_url: str) -> Iterator[Registry]:
    """An empty registry."""
    registry = Registry(tmp_path, database_url)
    yield registry
    registry.close()


@pytest.fixture
def make_safetensors() -> Any:
    """`make_safetensors(tensors, metadata)`: a sound file."""
    return safetensors


@pytest.fixture
def make_raw_safetensors() -> Any:
    """`make_raw_safetensors(header, data)`: a file with any header at all."""
    return raw_safetensors


@pytest.fixture
def make_catalog(tmp_path: Path) -> Iterator[Any]:
    """`make_catalog(url)`: another catalog, as after a restart or in another replica."""
    databases: list[Database] = []

    def make(url: str) -> Catalog:
        databases.append(Database(url))
        return Catalog(Shelf(databases[-1], Blobs(databases[-1], LocalBlobStore(tmp_path / "blobs"))))

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def zoo(registry: Any) -> Zoo:
    return Zoo(registry)
