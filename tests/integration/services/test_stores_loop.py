"""The whole loop with bytes in a real MinIO and rows in either kind of database: push to taking home."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.numpy
from foundry import QUICK, Foundry, running_foundry
from minio_server import MinioServer
from PIL import Image
from service_stack import INLINE, minio_settings


@pytest.fixture
def foundry_and_bucket(minio_server: MinioServer, database_url: str, tmp_path: Path) -> Iterator[tuple[Foundry, str]]:
    bucket = f"test-{uuid.uuid4().hex}"
    settings = {**INLINE, **minio_settings(minio_server, bucket), "MODELFOUNDRY_REGISTRY_DATABASE_URL": database_url}
    with running_foundry(tmp_path, settings) as running:
        yield running, bucket
    minio_server.remove_bucket(bucket)


def test_the_whole_loop_keeps_every_byte_in_minio(
    foundry_and_bucket: tuple[Foundry, str], minio_server: MinioServer, tmp_path: Path
) -> None:
    foundry, bucket = foundry_and_bucket
    (module,) = foundry.client.decompose("digits-cnn", "digits", label="3", recipe=QUICK).wait(timeout=240)
    evaluations = foundry.client.evaluate(module, "digits", baselines=True).wait(timeout=240)
    assert len(evaluations) == 3
    files = foundry.client.modules.download(module, tmp_path / "home", "safetensors")
    assert {path.name for path in files} == {"model.safetensors", "module.json"}
    assert foundry.client.predict(module, bytes_of_a_digit(foundry, tmp_path))[0].label in module.outputs
    stored = {item.object_name or "" for item in minio_server.client().list_objects(bucket, recursive=True)}
    for digest in (module.artifact.digest, foundry.model.weights.digest, foundry.dataset.splits[0].content.digest):
        assert any(name.endswith(digest.removeprefix("sha256:")) for name in stored)
    assert not list((tmp_path / "registry" / "blobs").rglob("*"))


def bytes_of_a_digit(foundry: Foundry, folder: Path) -> bytes:
    split = foundry.client.blobs.download(foundry.dataset.splits[0].content, folder / "split.safetensors")
    file = io.BytesIO()
    Image.fromarray(safetensors.numpy.load_file(split)["images"][0, 0], "L").save(file, "PNG")
    return file.getvalue()
