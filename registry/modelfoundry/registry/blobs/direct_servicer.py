"""DirectTransferService over gRPC: hands out addresses in the object store, in threads of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from modelfoundry.api.registry.v1 import direct_transfer_service_pb2 as pb
from modelfoundry.api.registry.v1 import direct_transfer_service_pb2_grpc
from modelfoundry.names import check_digest, parse_parent
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.minio_staging import DirectUrl, MinioStaging
from modelfoundry.registry.blobs.store import missing
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.runtime.server import Service

Context = grpc.aio.ServicerContext[Any, Any]


class DirectTransferServicer(direct_transfer_service_pb2_grpc.DirectTransferServiceServicer, Part):
    """Serves `modelfoundry.api.registry.v1.DirectTransferService`.

    Args:
        blobs: What is read.
        uploads: What is written.
        staging: Signs addresses; None: nothing is offered.
    """

    def __init__(self, blobs: Blobs, uploads: Uploads, staging: MinioStaging | None) -> None:
        Part.__init__(self, "direct", 4)
        self._blobs = blobs
        self._uploads = uploads
        self._staging = staging

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        add = direct_transfer_service_pb2_grpc.add_DirectTransferServiceServicer_to_server
        return [service_of(pb.DESCRIPTOR, add, self)]

    async def CreateDownloadUrl(
        self, request: pb.CreateDownloadUrlRequest, context: Context
    ) -> pb.CreateDownloadUrlResponse:
        """See the contract."""
        parse_parent(request.parent)
        check_digest(request.digest, field="digest")
        response = pb.CreateDownloadUrlResponse()
        _fill(response, await self.threads.run(self._download_url, request.digest))
        return response

    async def CreateUploadUrl(self, request: pb.CreateUploadUrlRequest, context: Context) -> pb.CreateUploadUrlResponse:
        """See the contract."""
        response = pb.CreateUploadUrlResponse()
        _fill(response, await self.threads.run(self._uploads.direct_url, request.name))
        return response

    def _download_url(self, digest: str) -> DirectUrl | None:
        # Touched, so that garbage collection does not take it from under a reader that the registry does not see.
        if self._blobs.touch(digest) is None:
            raise missing(digest)
        return None if self._staging is None else self._staging.download_url(digest)


def _fill(response: pb.CreateDownloadUrlResponse | pb.CreateUploadUrlResponse, found: DirectUrl | None) -> None:
    if found is not None:
        response.url = found.url
        response.expire_time.FromDatetime(found.expire_time)
