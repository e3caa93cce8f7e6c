"""Large contents between clients and a real MinIO, past the registry, which still verifies what anybody can see."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
from blob_backends import MinioBackend
from minio_server import MinioServer
from service_stack import minio_settings, running_stack
from tcp_relay import Relay, relayed

from modelfoundry import errors
from modelfoundry.api.registry.v1 import blob_service_pb2, direct_transfer_service_pb2
from modelfoundry.api.registry.v1.blob_service_pb2_grpc import BlobServiceStub
from modelfoundry.api.registry.v1.direct_transfer_service_pb2_grpc import DirectTransferServiceStub
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.client import AsyncClient, Client, Endpoints
from modelfoundry.client.direct import DirectDownload, DirectFailed, DirectUpload
from modelfoundry.registry.blobs.minio_staging import MinioStaging
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.s3_server import S3Server

PARENT = "projects/default"
SIZE = 9 * 1024 * 1024
SMALL = 1024 * 1024


def content(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(SIZE)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class Direct:
    """A registry whose clients reach it, and the store, through relays of their own."""

    client: Client
    backend: MinioBackend
    to_registry: Relay
    to_store: Relay
    """Of clients: the public address."""
    from_registry: Relay
    """Of the registry."""

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(registry=f"127.0.0.1:{self.to_registry.port}")

    def upload(self, data: bytes) -> blob_service_pb2.Upload:
        """An upload that was announced."""
        blob = BlobRef(digest=digest_of(data), size_bytes=len(data))
        with self._channel() as channel:
            upload = blob_service_pb2.Upload(blob=blob)
            request = blob_service_pb2.CreateUploadRequest(parent=PARENT, upload=upload)
            return BlobServiceStub(channel).CreateUpload(request)

    def upload_url(self, upload: blob_service_pb2.Upload) -> str:
        with self._channel() as channel:
            request = direct_transfer_service_pb2.CreateUploadUrlRequest(name=upload.name)
            return DirectTransferServiceStub(channel).CreateUploadUrl(request).url

    def download_url(self, digest: str) -> str:
        with self._channel() as channel:
            request = direct_transfer_service_pb2.CreateDownloadUrlRequest(parent=PARENT, digest=digest)
            return DirectTransferServiceStub(channel).CreateDownloadUrl(request).url

    def finalize(self, upload: blob_service_pb2.Upload) -> str:
        """The reason for which it failed, or nothing."""
        with self._channel() as channel:
            try:
                BlobServiceStub(channel).FinalizeUpload(blob_service_pb2.FinalizeUploadRequest(name=upload.name))
            except grpc.RpcError as error:
                return error.details() or "?"
        return ""

    def staged(self) -> list[str]:
        return list(filter(lambda key: key.startswith("uploads/"), self.backend.keys()))

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.client.endpoints.registry, options=[("grpc.enable_http_proxy", 0)])


def put(url: str, data: bytes) -> None:
    with DirectUpload(url, len(data)) as upload:
        upload.send(data)
        upload.finish()


@pytest.fixture(scope="module")
def backend(minio_server: MinioServer) -> Iterator[MinioBackend]:
    server, bucket = minio_server, f"direct-{uuid.uuid4().hex}"
    yield MinioBackend(
        server, bucket, MinioBlobStore(server.endpoint, server.access_key, server.secret_key, bucket=bucket)
    )
    server.remove_bucket(bucket)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory, backend: MinioBackend) -> Iterator[Direct]:
    folder = tmp_path_factory.mktemp("direct")
    port = urlsplit(backend.server.endpoint).port or 0
    with relayed(port) as to_store, relayed(port) as from_registry:
        settings = {
            **minio_settings(backend.server, backend.bucket),
            "MODELFOUNDRY_REGISTRY_GC_INTERVAL_HOURS": "0",
            "MODELFOUNDRY_REGISTRY_MINIO_ENDPOINT": f"http://127.0.0.1:{from_registry.port}",
            "MODELFOUNDRY_REGISTRY_MINIO_PUBLIC_ENDPOINT": f"http://127.0.0.1:{to_store.port}",
        }
        with (
            running_stack(folder, settings, names=("registry",)) as stack,
            relayed(stack.ports["registry"]) as to_registry,
            Client(Endpoints(registry=f"127.0.0.1:{to_registry.port}")) as client,
        ):
            yield Direct(client, backend, to_registry, to_store, from_registry)


def test_large_contents_move_past_the_registry(direct: Direct, tmp_path: Path) -> None:
    data = content(1)
    (tmp_path / "file").write_bytes(data)
    done: list[int] = []

    blob = direct.client.blobs.upload(
        tmp_path / "file", "application/x-test", on_progress=lambda now, _: done.append(now)
    )
    assert direct.to_registry.passed_bytes < SMALL
    assert direct.to_store.passed_bytes >= SIZE
    path = direct.client.blobs.download(blob, tmp_path / "back")

    assert path.read_bytes() == data
    assert direct.to_registry.passed_bytes < SMALL
    assert direct.to_store.passed_bytes >= 2 * SIZE
    assert (done[0] <= SMALL, done[-1]) == (True, SIZE)
    assert direct.client.blobs.get(blob.digest) == blob
    assert direct.staged() == []


async def test_the_client_for_asyncio_does_so_too_and_goes_on_where_a_download_stopped(
    direct: Direct, tmp_path: Path
) -> None:
    data = content(2) + b"and more"
    before = direct.to_registry.passed_bytes
    (tmp_path / "back.part").write_bytes(data[:100])
    async with AsyncClient(direct.endpoints) as client:
        blob = await client.blobs.upload(data)
        path = await client.blobs.download(blob.digest, tmp_path / "back")
    assert path.read_bytes() == data
    assert direct.to_registry.passed_bytes - before < SMALL


def test_nothing_is_visible_before_it_was_verified(direct: Direct) -> None:
    data = content(3)
    upload = direct.upload(data)
    url = direct.upload_url(upload)
    assert "has 0 of" in direct.finalize(upload)
    put(url, data)

    assert direct.client.blobs.missing([digest_of(data)]) == [digest_of(data)]
    with pytest.raises(errors.NotFound):
        direct.client.blobs.get(digest_of(data))
    with pytest.raises(grpc.RpcError):
        direct.download_url(digest_of(data))
    assert direct.finalize(upload) == ""
    assert direct.client.blobs.missing([digest_of(data)]) == []


def test_other_bytes_than_announced_are_refused_and_thrown_away(direct: Direct) -> None:
    data = content(4)
    keys = direct.backend.keys()
    for wrong in (bytes([data[0] ^ 1]) + data[1:], data[:-1], data + b"!"):
        upload = direct.upload(data)
        put(direct.upload_url(upload), wrong)
        assert "not those announced" in direct.finalize(upload)
        assert "there is no upload" in direct.finalize(upload)
    assert direct.backend.keys() == keys
    assert direct.client.blobs.missing([digest_of(data)]) == [digest_of(data)]


def test_bytes_that_change_while_they_are_verified_are_refused(direct: Direct) -> None:
    data = content(5)
    upload = direct.upload(data)
    url = direct.upload_url(upload)
    put(url, data)

    def change(sent: bytes) -> None:
        if b"x-amz-copy-source" in sent.lower():
            put(url, content(6))

    direct.from_registry.before_sending = change
    assert "were changed while they were verified" in direct.finalize(upload)
    direct.from_registry.before_sending = lambda _: None
    with pytest.raises(errors.NotFound):
        direct.client.blobs.get(digest_of(data))
    assert direct.staged() == []


def test_what_is_put_later_changes_nothing_and_is_collected(direct: Direct, tmp_path: Path) -> None:
    data, waiting = content(7), content(8)
    upload, open_upload = direct.upload(data), direct.upload(waiting)
    url = direct.upload_url(upload)
    put(url, data)
    assert direct.finalize(upload) == ""
    put(url, content(9))
    put(direct.upload_url(open_upload), waiting)

    assert direct.client.blobs.download(digest_of(data), tmp_path / "back").read_bytes() == data
    assert len(direct.staged()) == 2
    assert not [event for event in direct.client.maintenance.check_blobs() if hasattr(event, "key")]
    collected = direct.client.maintenance.collect_garbage(min_age=timedelta(0))
    assert collected.removed_strays == 1
    assert direct.staged() == [f"uploads/{open_upload.name.rpartition('/')[2]}"]
    assert direct.finalize(open_upload) == ""


def test_bytes_that_the_store_lost_are_refused_by_whoever_reads_them(direct: Direct, tmp_path: Path) -> None:
    blob = direct.client.blobs.upload(content(10))
    direct.backend.overwrite(blob.digest, content(11))
    with pytest.raises(errors.CorruptBlob):
        direct.client.blobs.download(blob, tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_good_for_a_while_and_for_what_it_was_given_for(direct: Direct) -> None:
    url = direct.download_url(direct.client.blobs.upload(content(12)).digest)
    with pytest.raises(DirectFailed, match="expired or was changed"):
        DirectDownload(url.replace("Expires=900", "Expires=90000"), 0)
    with pytest.raises(DirectFailed, match="403"):
        put(url, b"")
    with pytest.raises(DirectFailed, match="neither http nor https"):
        DirectDownload("file:///etc/passwd", 0)


def test_an_expired_address_says_so(direct: Direct) -> None:
    blob = direct.client.blobs.upload(content(13))
    server = direct.backend.server
    s3 = S3Server(server.endpoint, server.access_key, server.secret_key, direct.backend.bucket, "us-east-1")
    address = MinioStaging(s3, s3, timedelta(seconds=1)).download_url(blob.digest)
    time.sleep((address.expire_time - datetime.now(UTC)).total_seconds() + 1)
    with pytest.raises(DirectFailed, match="expired"):
        DirectDownload(address.url, 0)


class Liar(BaseHTTPRequestHandler):
    """Gives other bytes than it was asked for, and takes none."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(SIZE))
        self.end_headers()
        self.wfile.write(bytes(SIZE))

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def liar() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("lies", [False, True], ids=["unreachable", "lying"])
def test_a_store_that_is_unreachable_or_lies_is_gone_round(
    direct: Direct, liar: int, lies: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content(20 + lies)
    monkeypatch.setattr(direct.to_store, "target", liar if lies else None)
    with Client(direct.endpoints) as client:
        blob = client.blobs.upload(data)
    with Client(direct.endpoints) as client:
        assert client.blobs.download(blob, tmp_path / "back").read_bytes() == data
    assert direct.to_registry.passed_bytes > 2 * SIZE
