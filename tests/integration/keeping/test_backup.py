"""`modelfoundry registry backup` and `restore`: the restored registry answers everything as the first one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from blob_backends import MinioBackend
from service_stack import running_stack

from modelfoundry.api.registry.v1 import dataset_pb2, evaluation_pb2, model_pb2, module_pb2, provenance_pb2
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from modelfoundry.api.types.v1 import metrics_pb2
from modelfoundry.client import Client

from .conftest import PARENT, Registry, weights

LISTS = {
    "ListModels": model_pb2.ListModelsRequest,
    "ListDatasets": dataset_pb2.ListDatasetsRequest,
    "ListModules": module_pb2.ListModulesRequest,
    "ListEvaluations": evaluation_pb2.ListEvaluationsRequest,
    "ListProvenanceEdges": provenance_pb2.ListProvenanceEdgesRequest,
}


def fill(registry: Registry) -> None:
    dataset = registry.add_dataset("digits")
    for seed in range(3):
        model = registry.add_model(f"net-{seed}", weights(seed))
        module = registry.add_module(f"horse-{seed}", model, dataset, seed)
        evaluation = evaluation_pb2.Evaluation(
            subject=module.name,
            subject_digest=module.artifact.digest,
            module=module.name,
            scoring=evaluation_pb2.SCORING_ALL_OUTPUTS,
            dataset=dataset.name,
            dataset_digest=dataset.digest,
            split="train",
            sample_count=3,
            classification=metrics_pb2.ClassificationMetrics(accuracy=0.5),
        )
        with grpc.insecure_channel(registry.client.endpoints.registry) as channel:
            request = evaluation_pb2.CreateEvaluationRequest(parent=PARENT, evaluation=evaluation)
            RegistryServiceStub(channel).CreateEvaluation(request)
    registry.client.blobs.upload(b"nothing uses this yet")


def everything(client: Client, folder: Path) -> dict[str, Any]:
    """All that a registry answers: the messages of all resources, and the bytes of all blobs that they name."""
    answers: dict[str, Any] = {}
    with grpc.insecure_channel(client.endpoints.registry) as channel:
        stub = RegistryServiceStub(channel)
        for method, request in LISTS.items():
            response = getattr(stub, method)(request(parent=PARENT, page_size=1000))
            response.next_page_token = ""
            answers[method] = response
    blobs = {model.weights for model in client.models.list()} | {module.artifact for module in client.modules.list()}
    blobs |= {split.content for dataset in client.datasets.list() for split in dataset.splits}
    for blob in blobs:
        path = client.blobs.download(blob, folder / "bytes")
        answers[blob.digest] = path.read_bytes()
        path.unlink()
    assert len(answers) == len(LISTS) + 7
    return answers


@contextmanager
def restored(registry: Registry, folder: Path, home: Path) -> Iterator[Client]:
    """Another registry, made from a backup."""
    home.mkdir()
    settings = {**registry.stack.settings, "MODELFOUNDRY_REGISTRY_FOLDER": str(home / "blobs")}
    if isinstance(registry.backend, MinioBackend):
        settings["MODELFOUNDRY_REGISTRY_MINIO_BUCKET"] = f"{registry.backend.bucket}-restored"
    done = registry.run("registry", "restore", str(folder), MODELFOUNDRY_HOME=str(home), **settings)
    assert done.returncode == 0, done.stderr
    try:
        with running_stack(home, settings, names=("registry",)) as stack, Client(stack.endpoints) as client:
            yield client
    finally:
        if isinstance(registry.backend, MinioBackend):
            registry.backend.server.remove_bucket(f"{registry.backend.bucket}-restored")


def test_a_restored_registry_is_the_same(registry: Registry, tmp_path: Path) -> None:
    fill(registry)
    expected = everything(registry.client, tmp_path)
    folder = tmp_path / "backup"

    first = registry.run("registry", "backup", str(folder), "--json")
    again = registry.run("registry", "backup", str(folder), "--json")

    assert json.loads(first.stdout) == {"blobs": 8, "size": json.loads(first.stdout)["size"], "copied": 8}
    assert json.loads(again.stdout)["copied"] == 0
    with restored(registry, folder, tmp_path / "other") as client:
        assert everything(client, tmp_path) == expected
        assert client.blobs.missing([model.weights.digest for model in client.models.list()]) == []
        assert [event.findings for event in client.maintenance.check_blobs()] == [0]  # type: ignore[union-attr]
