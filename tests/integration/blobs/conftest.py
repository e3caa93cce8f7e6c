from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from blob_backends import BlobBackend
from blob_service import BlobClient, build_service

from modelfoundry.registry.blobs.store import BlobStore
from modelfoundry.runtime.server import running


@asynccontextmanager
async def serving(work: Path, store: BlobStore) -> AsyncIterator[BlobClient]:
    """A BlobService on a real socket, its database and spool in `work`, and a client of it."""
    async with (
        build_service(work, store) as service,
        running([service]) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield BlobClient(channel)


@pytest.fixture
async def client(blob_backend: BlobBackend, tmp_path: Path) -> AsyncIterator[BlobClient]:
    async with serving(tmp_path / "work", blob_backend.store) as client:
        yield client
