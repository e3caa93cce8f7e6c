"""Fixtures that several suites share: real MinIO and PostgreSQL servers, both blob stores, both kinds of databases."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import minio_server
import postgresql_server
import pytest
from blob_backends import BlobBackend, LocalBackend, MinioBackend
from database_kinds import POSTGRESQL, SQLITE
from minio_server import MinioServer, any_minio
from postgresql_server import PostgresqlServer, any_postgresql

from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.store import BlobStore
from modelfoundry.registry.database import Database
from modelfoundry.wire import channels

SERVERS = {
    minio_server.HOW_TO_GET_IT: minio_server.__file__,
    postgresql_server.HOW_TO_GET_IT: postgresql_server.__file__,
}


SHARED_FOLDERS = ("tests/integration/composing", "tests/integration/inference", "tests/integration/services")
"""Their files share services of the whole run, so that one process of the run takes them all."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells a missing server in one line of the summary, in place of one for each test."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        for how_to_get_it, module in SERVERS.items():
            if how_to_get_it in report.longrepr[2]:
                report.longrepr = (module, 1, report.longrepr[2])
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives every process of a run whole files, or whole folders where files share services."""
    from xdist.scheduler import LoadScopeScheduling

    class FileOrFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            folder = path.rpartition("/")[0]
            return folder if folder in SHARED_FOLDERS else path

    return FileOrFolder(config, log)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels wait hundredths of a second before they repeat a call; they repeat it as often as ever."""
    config, usual, short = channels.service_config, '"initialBackoff": "0.3s"', '"initialBackoff": "0.02s"'
    assert usual in config(())
    monkeypatch.setattr(channels, "service_config", lambda contracts: config(contracts).replace(usual, short))


@pytest.fixture(name="minio_server", scope="session")
def minio_server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
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


@pytest.fixture(name="postgresql_server", scope="session")
def postgresql_server_fixture() -> Iterator[PostgresqlServer]:
    """One real PostgreSQL for the whole run."""
    with any_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with its schema: migrating it once is enough for all tests."""
    path = tmp_path_factory.mktemp("migrated") / "registry.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind in turn, with the schema in it and nothing else."""
    if request.param == SQLITE:
        path = tmp_path / "registry.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url
