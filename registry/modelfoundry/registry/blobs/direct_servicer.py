"""DirectTransferService over gRPC: hands out addresses in the object store, in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc

from modelfoundry.api.registry.v1 import direct_transfer_service_pb2 as pb
from modelfoundry.api.registry.v1 import direct_transfer_service_pb2_grpc
from modelfoundry.names import check_digest, parse_parent
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.minio_staging import DirectUrl, MinioStaging
from modelfoundry.registry.blobs.store import missing
from modelfoundry.registry.blobs.uploads import Uploads

Context = grpc.aio.ServicerContext[Any, Any]
Result = TypeVar("Result")
_THREADS: Final = 4


class DirectTransferServicer(direct_transfer_service_pb2_grpc.DirectTransferServiceServicer):
    """Serves `modelfoundry.api.registry.v1.DirectTransferService`.

    Args:
        blobs: What is read.
        uploads: What is written.
        staging: Signs addresses; None: nothing is offered.
    """

    def __init__(self, blobs: Blobs, uploads: Uploads, staging: MinioStaging | None) -> None:
        self._blobs = blobs
        self._uploads = uploads
        self._staging = staging
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="direct")

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self._threads.shutdown()

    async def CreateDownloadUrl(
        self, request: pb.CreateDownloadUrlRequest, context: Context
    ) -> pb.CreateDownloadUrlResponse:
        """See the contract."""
        parse_parent(request.parent)
        check_digest(request.digest, field="digest")
        response = pb.CreateDownloadUrlResponse()
        _fill(response, await self._run(lambda: self._download_url(request.digest)))
        return response

    async def CreateUploadUrl(self, request: pb.CreateUploadUrlRequest, context: Context) -> pb.CreateUploadUrlResponse:
        """See the contract."""
        response = pb.CreateUploadUrlResponse()
        _fill(response, await self._run(lambda: self._uploads.direct_url(request.name)))
        return response

    def _download_url(self, digest: str) -> DirectUrl | None:
        # Touched, so that garbage collection does not take it from under a reader that the registry does not see.
        if self._blobs.touch(digest) is None:
            raise missing(digest)
        return None if self._staging is None else self._staging.download_url(digest)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _fill(response: pb.CreateDownloadUrlResponse | pb.CreateUploadUrlResponse, found: DirectUrl | None) -> None:
    if found is not None:
        response.url = found.url
        response.expire_time.FromDatetime(found.expire_time)
