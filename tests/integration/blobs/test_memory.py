"""How much memory the server takes for large blobs: bytes pass through it, they do not gather in it."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from blob_backends import BlobBackend
from blob_service import MIB, PARENT, BlobClient

from modelfoundry.api.registry.v1 import blob_service_pb2 as pb
from modelfoundry.api.types.v1.blob_pb2 import BlobRef

from .conftest import server_process


class Repeated:
    """A blob of one random block again and again."""

    def __init__(self, count: int) -> None:
        self._block = os.urandom(MIB)
        self._crc32 = zlib.crc32(self._block)
        self._count = count
        digest = hashlib.sha256()
        for _ in range(count):
            digest.update(self._block)
        self.ref = BlobRef(digest=f"sha256:{digest.hexdigest()}", size_bytes=count * MIB)

    def messages(self, name: str) -> Iterator[pb.WriteBlobRequest]:
        for number in range(self._count):
            yield pb.WriteBlobRequest(name=name, write_offset=number * MIB, data=self._block, crc32=self._crc32)

    def has(self, offset: int, data: bytes) -> bool:
        start = offset % MIB
        return self._block[start:] + self._block[:start] == data


async def send(client: BlobClient, blob: Repeated) -> None:
    upload = await client.create(blob.ref)
    await client.stub.WriteBlob(blob.messages(upload.name), timeout=client.timeout)
    assert await client.finalize(upload.name) == blob.ref


async def read_all(client: BlobClient, blob: Repeated) -> None:
    request = pb.ReadBlobRequest(parent=PARENT, digest=blob.ref.digest)
    received = 0
    async for response in client.stub.ReadBlob(request, timeout=client.timeout):
        assert response.offset == received
        assert blob.has(response.offset, response.data)
        received += len(response.data)
    assert received == blob.ref.size_bytes


@pytest.mark.slow
async def test_two_gibibytes_pass_through_under_200_mebibytes(blob_backend: BlobBackend, tmp_path: Path) -> None:
    blob = Repeated(2048)
    async with server_process(blob_backend, tmp_path) as server:
        await send(server.client, blob)
        await read_all(server.client, blob)
        assert server.peak_bytes() < 200 * MIB


async def test_a_blob_does_not_gather_in_memory(blob_backend: BlobBackend, tmp_path: Path) -> None:
    small, large = Repeated(1), Repeated(64)
    async with server_process(blob_backend, tmp_path) as server:
        await send(server.client, small)
        await read_all(server.client, small)
        before = server.peak_bytes()
        await send(server.client, large)
        await read_all(server.client, large)
        assert server.peak_bytes() - before < 48 * MIB


async def test_readers_who_do_not_read_keep_no_blob_in_memory(blob_backend: BlobBackend, tmp_path: Path) -> None:
    blob = Repeated(32)
    async with server_process(blob_backend, tmp_path) as server, AsyncExitStack() as stack:
        await send(server.client, blob)
        before = server.peak_bytes()
        for _ in range(4):
            call = server.client.stub.ReadBlob(pb.ReadBlobRequest(parent=PARENT, digest=blob.ref.digest))
            stack.callback(call.cancel)
            await call.read()
        await read_all(server.client, blob)
        assert server.peak_bytes() - before < 64 * MIB
