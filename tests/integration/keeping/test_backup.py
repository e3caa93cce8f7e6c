"""`modelfoundry registry backup` and `restore`: the restored registry answers everything as the first one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from blob_backends import LocalBackend, MinioBackend
from service_stack import running_stack

from modelfoundry.api.registry.v1 import dataset_pb2, evaluation_pb2, model_pb2, module_pb2, provenance_pb2
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from modelfoundry.client import ClassificationMetrics, Client, Evaluation
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.store import store_key

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
        evaluation = Evaluation(
            subject=module.name,
            subject_digest=module.artifact.digest,
            module=module.name,
            dataset=dataset.name,
            dataset_digest=dataset.digest,
            split="train",
            sample_count=3,
            classification=ClassificationMetrics(
                accuracy=0.5,
                accuracy_interval=None,
                precision=0.5,
                recall=0.5,
                f1=0.5,
                per_label=(),
                confusion=None,
            ),
        )
        registry.client.evaluations.create(evaluation)
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
    answers["statements"] = [client.statements.get(module) for module in client.modules.list()]
    assert all(statement.signed for statement in answers["statements"])
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
        assert client.statements.verify("horse-0").ok
        assert client.blobs.missing([model.weights.digest for model in client.models.list()]) == []
        assert [event.findings for event in client.maintenance.check_blobs()] == [0]  # type: ignore[union-attr]


@pytest.fixture
def local_registry(tmp_path: Path) -> Iterator[Registry]:
    from .conftest import running_registry

    with running_registry(tmp_path / "home", LocalBackend(tmp_path / "blobs", LocalBlobStore(tmp_path / "blobs"))) as r:
        yield r


def test_a_damaged_backup_makes_no_registry(local_registry: Registry, tmp_path: Path) -> None:
    model = local_registry.add_model("net", weights())
    folder = tmp_path / "backup"
    assert local_registry.run("registry", "backup", str(folder)).returncode == 0
    stored = folder / "blobs" / store_key(model.weights.digest)
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.unlink()
    stored.write_bytes(content)
    home = tmp_path / "other"
    settings = {"MODELFOUNDRY_HOME": str(home), "MODELFOUNDRY_REGISTRY_FOLDER": str(home / "blobs")}

    done = local_registry.run("registry", "restore", str(folder), **settings)

    assert (done.returncode, model.weights.digest in done.stderr) == (1, True)
    assert not (home / "registry" / "registry.db").exists()


def test_a_backup_of_a_damaged_registry_is_not_valid(local_registry: Registry, tmp_path: Path) -> None:
    model = local_registry.add_model("net", weights())
    local_registry.backend.vanish(model.weights.digest)
    folder = tmp_path / "backup"

    done = local_registry.run("registry", "backup", str(folder))

    assert (done.returncode, model.weights.digest in done.stderr) == (1, True)
    refused = local_registry.run("registry", "restore", str(folder), MODELFOUNDRY_HOME=str(tmp_path / "other"))
    assert (refused.returncode, "no whole backup" in refused.stderr) == (2, True)


def test_what_is_there_is_never_overwritten(local_registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    assert local_registry.run("registry", "backup", str(folder)).returncode == 0
    done = local_registry.run("registry", "restore", str(folder))
    assert (done.returncode, "a database already" in done.stderr) == (4, True)

    (tmp_path / "home" / "notes.txt").touch()
    wrong = local_registry.run("registry", "backup", str(tmp_path / "home"))
    assert (wrong.returncode, "something else" in wrong.stderr) == (2, True)


def test_a_database_server_is_for_its_own_tools(local_registry: Registry, tmp_path: Path) -> None:
    url = {"MODELFOUNDRY_REGISTRY_DATABASE_URL": "postgresql+psycopg://user:secret@host/name"}
    done = local_registry.run("registry", "backup", str(tmp_path / "backup"), **url)
    assert done.returncode == 2
    assert "pg_dump" in done.stderr
    assert "secret" not in done.stderr
