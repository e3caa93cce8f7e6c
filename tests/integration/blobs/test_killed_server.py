"""A registry that is killed in the midst of uploads: nothing acknowledged is lost, nothing half is seen."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import grpc
import pytest
from blob_backends import BlobBackend
from blob_service import MIB, chunk, ref_of

from modelfoundry.api.registry.v1 import blob_service_pb2 as pb

from .conftest import server_process


async def test_an_upload_goes_on_after_its_server_was_killed_in_mid_stream(
    blob_backend: BlobBackend, tmp_path: Path
) -> None:
    data = os.urandom(8 * MIB)
    async with server_process(blob_backend, tmp_path) as server:
        upload = await server.client.create(ref_of(data))
        acknowledged = (await server.client.write(upload.name, data[: 2 * MIB])).committed_bytes
        call = server.client.stub.WriteBlob()
        await call.write(chunk(upload.name, 2 * MIB, data[2 * MIB : 3 * MIB]))
        await server.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            await call

    async with server_process(blob_backend, tmp_path) as server:
        resumed = await server.client.get(upload.name)
        assert resumed.committed_bytes >= acknowledged
        await server.client.write(upload.name, data, offset=resumed.committed_bytes)
        assert await server.client.finalize(upload.name) == ref_of(data)
        assert await server.client.read(ref_of(data).digest) == data


async def test_a_server_killed_while_it_finalizes_shows_the_whole_blob_or_none(
    blob_backend: BlobBackend, tmp_path: Path
) -> None:
    data = os.urandom(64 * MIB)
    async with server_process(blob_backend, tmp_path) as server:
        upload = await server.client.create(ref_of(data))
        await server.client.write(upload.name, data)
        call = server.client.stub.FinalizeUpload(pb.FinalizeUploadRequest(name=upload.name))
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(blob_backend.keys, ref_of(data).digest) and not call.done():
                pass
        await server.kill()

    async with server_process(blob_backend, tmp_path) as server:
        if await server.client.missing([ref_of(data).digest]) == []:
            assert await server.client.read(ref_of(data).digest) == data
        assert await server.client.finalize(upload.name) == ref_of(data)
        assert await server.client.read(ref_of(data).digest) == data
