"""A MinIO that is stopped, frozen or refuses us: UNAVAILABLE within seconds, saying what to look at."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import pytest
from blob_service import MIB, BlobClient, error_info, ref_of
from minio_server import MinioServer, free_port, started_minio

from modelfoundry.errors import InvalidField, Unavailable
from modelfoundry.registry.blobs.minio_store import MinioBlobStore

from .conftest import serving


@dataclass(frozen=True)
class Deployment:
    """A service on a MinIO of its own, with one blob stored and one upload whose bytes have all come."""

    minio: MinioServer
    folder: Path
    store: MinioBlobStore
    client: BlobClient
    stored: bytes
    pending: bytes
    upload: str


@pytest.fixture
def minio(tmp_path: Path) -> Iterator[MinioServer]:
    with started_minio(tmp_path) as server:
        yield server


@pytest.fixture
async def deployment(minio: MinioServer, tmp_path: Path) -> AsyncIterator[Deployment]:
    store = MinioBlobStore(minio.endpoint, minio.access_key, minio.secret_key)
    stored, pending = os.urandom(16 * MIB), os.urandom(6 * MIB)
    async with serving(tmp_path / "work", store) as client:
        await client.upload(stored)
        upload = await client.create(ref_of(pending))
        await client.write(upload.name, pending)
        yield Deployment(minio, tmp_path, store, client, stored, pending, upload.name)


CALLS: dict[str, Callable[[Deployment], Coroutine[Any, Any, object]]] = {
    "FindMissingBlobs": lambda it: it.client.missing([ref_of(it.stored).digest]),
    "GetBlob": lambda it: it.client.get_blob(ref_of(it.stored).digest),
    "CreateUpload": lambda it: it.client.create(ref_of(it.stored)),
    "FinalizeUpload": lambda it: it.client.finalize(it.upload),
    "ReadBlob": lambda it: it.client.read(ref_of(it.stored).digest),
}


async def assert_unavailable(deployment: Deployment) -> None:
    """The calls' deadline is 30 s: what is checked is that the store gives up long before."""
    answers = await asyncio.gather(
        asyncio.to_thread(deployment.store.check),
        *(call(deployment) for call in CALLS.values()),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Unavailable)
    for answer in answers[1:]:
        assert isinstance(answer, grpc.aio.AioRpcError)
        assert answer.code() is grpc.StatusCode.UNAVAILABLE
        assert deployment.minio.endpoint in (answer.details() or "")
        assert "minio server" in error_info(answer).metadata["hint"]
        assert "MODELFOUNDRY_REGISTRY_MINIO_ENDPOINT" in error_info(answer).metadata["hint"]


async def assert_works(deployment: Deployment) -> None:
    assert await deployment.client.read(ref_of(deployment.stored).digest) == deployment.stored
    assert await deployment.client.finalize(deployment.upload) == ref_of(deployment.pending)
    assert await deployment.client.read(ref_of(deployment.pending).digest) == deployment.pending


async def test_a_killed_minio_is_unavailable_and_nothing_is_lost_when_it_is_back(deployment: Deployment) -> None:
    deployment.minio.kill()
    await assert_unavailable(deployment)
    with started_minio(deployment.folder, like=deployment.minio):
        await assert_works(deployment)


async def test_a_frozen_minio_is_unavailable_and_nothing_is_lost_when_it_thaws(deployment: Deployment) -> None:
    deployment.minio.freeze()
    await assert_unavailable(deployment)
    deployment.minio.thaw()
    await assert_works(deployment)


async def test_a_minio_killed_in_mid_read_ends_the_read_and_gives_no_wrong_bytes(deployment: Deployment) -> None:
    chunks = deployment.store.open(ref_of(deployment.stored).digest)
    received = bytearray(next(chunks))
    deployment.minio.kill()
    with pytest.raises(Unavailable):
        received.extend(chain.from_iterable(chunks))
    assert deployment.stored.startswith(received)
    assert len(received) < len(deployment.stored)


def test_wrong_credentials_are_named(minio: MinioServer) -> None:
    for store in (
        MinioBlobStore(minio.endpoint, minio.access_key, "not the secret"),
        MinioBlobStore(minio.endpoint, "nobody", minio.secret_key),
    ):
        with pytest.raises(Unavailable, match="refuses our credentials") as caught:
            store.check()
        assert "SECRET_KEY" in caught.value.hint


def test_a_bucket_that_was_removed_is_made_again(minio: MinioServer, tmp_path: Path) -> None:
    store = MinioBlobStore(minio.endpoint, minio.access_key, minio.secret_key, bucket="models")
    store.check()
    minio.remove_bucket("models")
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert store.stat(ref_of(b"abc").digest) is None
    store.put_file(path, ref_of(b"abc").digest, 3)
    assert b"".join(store.open(ref_of(b"abc").digest)) == b"abc"


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        MinioBlobStore(f"http://127.0.0.1:{free_port()}", "who", "ever").check()


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:9000", "ftp://host", "http://", "http://host/path", "http://h?x=1"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidField):
        MinioBlobStore(endpoint, "who", "ever")
