"""Fixtures that several suites share: a real MinIO server, and both blob stores."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from blob_backends import BlobBackend, LocalBackend, MinioBackend
from minio_server import HOW_TO_GET_IT, MinioServer, any_minio
from minio_server import __file__ as minio_server_module

from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.store import BlobStore


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells a missing MinIO in one line of the summary, in place of one for each test."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and HOW_TO_GET_IT in report.longrepr[2]:
        report.longrepr = (minio_server_module, 1, report.longrepr[2])
    return report


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """One real S3 server for the whole run; do not stop it (`started_minio` gives one that may be stopped)."""
    with any_minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(params=["local", "minio"])
def blob_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobBackend]:
    """Each blob store in turn, empty, with its back door."""
    if request.param == "local":
        folder = tmp_path / "blobs"
        yield LocalBackend(folder, LocalBlobStore(folder))
        return
    server: MinioServer = request.getfixturevalue("minio_server")
    bucket = f"test-{uuid.uuid4().hex}"
    store = MinioBlobStore(server.endpoint, server.access_key, server.secret_key, bucket=bucket)
    yield MinioBackend(server, bucket, store)
    server.remove_bucket(bucket)


@pytest.fixture
def blob_store(blob_backend: BlobBackend) -> BlobStore:
    """Each blob store in turn, empty."""
    return blob_backend.store
