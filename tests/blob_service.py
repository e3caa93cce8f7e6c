"""A BlobService as the registry builds it, and a small client of the bare contract. As a program: the service alone."""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from google.rpc import error_details_pb2, status_pb2

from modelfoundry.api.registry.v1 import blob_service_pb2 as pb
from modelfoundry.api.registry.v1.blob_service_pb2_grpc import (
    BlobServiceStub,
    add_BlobServiceServicer_to_server,
)
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.servicer import BlobServicer
from modelfoundry.registry.blobs.spool import Spool
from modelfoundry.registry.blobs.store import BlobStore
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.database import Database
from modelfoundry.runtime.server import Service, run, serve

if TYPE_CHECKING:
    from modelfoundry.api.registry.v1.blob_service_pb2_grpc import BlobServiceAsyncStub

MIB = 1024 * 1024
PARENT = "projects/default"


@asynccontextmanager
async def build_service(work: Path, store: BlobStore) -> AsyncIterator[Service]:
    """The service on a database and a spool in `work`; used again on the same folder, it goes on where it was."""
    spool = Spool(work / "uploads")
    database = Database(f"sqlite:///{work / 'registry.db'}")
    database.migrate()
    blobs = Blobs(database, store)
    servicer = BlobServicer(blobs, Uploads(database, blobs, spool))
    try:
        yield Service(
            "modelfoundry.api.registry.v1.BlobService",
            lambda server: add_BlobServiceServicer_to_server(servicer, server),
        )
    finally:
        servicer.close()
        database.close()


class BlobClient:
    """Calls of the contract, with a deadline each."""

    def __init__(self, channel: grpc.aio.Channel, timeout: float = 30) -> None:
        self.stub: BlobServiceAsyncStub = BlobServiceStub(channel)
        self.timeout = timeout

    async def create(self, ref: BlobRef, request_id: str = "") -> pb.Upload:
        request = pb.CreateUploadRequest(parent=PARENT, upload=pb.Upload(blob=ref), request_id=request_id)
        return await self.stub.CreateUpload(request, timeout=self.timeout)

    async def get(self, name: str) -> pb.Upload:
        return await self.stub.GetUpload(pb.GetUploadRequest(name=name), timeout=self.timeout)

    async def write(self, name: str, data: bytes, offset: int = 0) -> pb.Upload:
        return await self.stub.WriteBlob(chunks_of(name, data, offset), timeout=self.timeout)

    async def finalize(self, name: str) -> BlobRef:
        return await self.stub.FinalizeUpload(pb.FinalizeUploadRequest(name=name), timeout=self.timeout)

    async def cancel(self, name: str) -> None:
        await self.stub.CancelUpload(pb.CancelUploadRequest(name=name), timeout=self.timeout)

    async def get_blob(self, digest: str) -> BlobRef:
        return await self.stub.GetBlob(pb.GetBlobRequest(parent=PARENT, digest=digest), timeout=self.timeout)

    async def missing(self, digests: list[str]) -> list[str]:
        request = pb.FindMissingBlobsRequest(parent=PARENT, digests=digests)
        return list((await self.stub.FindMissingBlobs(request, timeout=self.timeout)).missing_digests)

    async def upload(self, data: bytes, media_type: str = "") -> BlobRef:
        upload = await self.create(ref_of(data, media_type))
        await self.write(upload.name, data)
        return await self.finalize(upload.name)

    async def read(self, digest: str, offset: int = 0, limit: int = 0, into: bytearray | None = None) -> bytes:
        request = pb.ReadBlobRequest(parent=PARENT, digest=digest, read_offset=offset, read_limit=limit)
        received = bytearray() if into is None else into
        async for response in self.stub.ReadBlob(request, timeout=self.timeout):
            assert response.offset == offset + len(received)
            assert len(response.data) <= MIB
            received += response.data
        return bytes(received)


def ref_of(data: bytes, media_type: str = "") -> BlobRef:
    return BlobRef(digest="sha256:" + hashlib.sha256(data).hexdigest(), size_bytes=len(data), media_type=media_type)


def chunk(name: str, offset: int, data: bytes) -> pb.WriteBlobRequest:
    return pb.WriteBlobRequest(name=name, write_offset=offset, data=data, crc32=zlib.crc32(data))


def chunks_of(name: str, data: bytes, offset: int = 0) -> Iterator[pb.WriteBlobRequest]:
    """The messages that send `data[offset:]`; the name stands in the first one alone."""
    for start in range(offset, max(len(data), offset + 1), MIB):
        yield chunk(name if start == offset else "", start, data[start : start + MIB])


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo that a failed call brought along."""
    info = error_details_pb2.ErrorInfo()
    assert isinstance(error, grpc.aio.AioRpcError)
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    return info
    raise AssertionError(f"no ErrorInfo came with {error}")


def main() -> None:
    """`blob_service.py WORK PORT_FILE folder FOLDER` or `... s3 ENDPOINT ACCESS_KEY SECRET_KEY BUCKET`."""
    work, port_file, kind, *where = sys.argv[1:]
    store: BlobStore = LocalBlobStore(Path(where[0])) if kind == "folder" else _minio_store(*where)

    async def serve_blobs() -> None:
        async with build_service(Path(work), store) as service:
            await serve([service], listen="127.0.0.1:0", port_file=Path(port_file))

    run(serve_blobs())


def _minio_store(endpoint: str, access_key: str, secret_key: str, bucket: str) -> MinioBlobStore:
    return MinioBlobStore(endpoint, access_key, secret_key, bucket=bucket)


if __name__ == "__main__":
    main()
