"""BlobService over gRPC: every step of it runs in a thread of its own pool, one chunk ahead at most."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, Final

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import blob_service_pb2 as pb
from modelfoundry.api.registry.v1 import blob_service_pb2_grpc
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.errors import InvalidField, ModelFoundryError
from modelfoundry.names import check_digest, parse_parent
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.upload import Upload
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.runtime.server import Background, Service
from modelfoundry.wire.resources import blob_ref_from_proto, blob_ref_to_proto
from modelfoundry.wire.well_known import timestamp_to_proto

Context = grpc.aio.ServicerContext[Any, Any]

_MOST_DIGESTS: Final = 1000
_SWEEP_SECONDS: Final = 3600
_REST_BYTES: Final = 32 * 1024 * 1024
_REST_PAUSE_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class BlobServicer(blob_service_pb2_grpc.BlobServiceServicer, Part):
    """Serves `modelfoundry.api.registry.v1.BlobService`.

    The threads are its own, so that a slow store keeps nobody waiting who needs no bytes. Of a stream at most one
    message more is taken, or read, than was dealt with: that is the back-pressure.
    """

    def __init__(self, blobs: Blobs, uploads: Uploads) -> None:
        Part.__init__(self, "blobs")
        self._blobs = blobs
        self._uploads = uploads

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        return [service_of(pb.DESCRIPTOR, blob_service_pb2_grpc.add_BlobServiceServicer_to_server, self)]

    def background(self) -> Sequence[Background]:
        """See `Part`."""
        return [self.sweep]

    async def FindMissingBlobs(
        self, request: pb.FindMissingBlobsRequest, context: Context
    ) -> pb.FindMissingBlobsResponse:
        """See the contract."""
        parse_parent(request.parent)
        if len(request.digests) > _MOST_DIGESTS:
            raise InvalidField(
                f"digests: {len(request.digests)} digests, at most {_MOST_DIGESTS} are taken",
                field="digests",
                hint="ask in several calls",
            )
        for index, digest in enumerate(request.digests):
            check_digest(digest, field=f"digests[{index}]")
        return pb.FindMissingBlobsResponse(
            missing_digests=await self.threads.run(self._blobs.missing, list(request.digests))
        )

    async def GetBlob(self, request: pb.GetBlobRequest, context: Context) -> BlobRef:
        """See the contract."""
        parse_parent(request.parent)
        return blob_ref_to_proto(await self.threads.run(self._blobs.get, check_digest(request.digest, field="digest")))

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Context) -> pb.Upload:
        """See the contract."""
        project = parse_parent(request.parent)
        blob = blob_ref_from_proto(request.upload.blob)
        return upload_to_proto(await self.threads.run(self._uploads.create, project, blob, request.request_id))

    async def GetUpload(self, request: pb.GetUploadRequest, context: Context) -> pb.Upload:
        """See the contract."""
        return upload_to_proto(await self.threads.run(self._uploads.get, request.name))

    async def WriteBlob(self, request_iterator: AsyncIterator[pb.WriteBlobRequest], context: Context) -> pb.Upload:
        """See the contract."""
        messages = _Messages(request_iterator)
        try:
            name = await self._write_all(messages)
        except ModelFoundryError:
            await _take_rest(messages)
            raise
        finally:
            messages.close()
        return upload_to_proto(await self.threads.run(self._uploads.get, name))

    async def FinalizeUpload(self, request: pb.FinalizeUploadRequest, context: Context) -> BlobRef:
        """See the contract."""
        return blob_ref_to_proto(await self.threads.run(self._uploads.finalize, request.name))

    async def CancelUpload(self, request: pb.CancelUploadRequest, context: Context) -> Empty:
        """See the contract."""
        await self.threads.run(self._uploads.cancel, request.name)
        return Empty()

    async def ReadBlob(self, request: pb.ReadBlobRequest, context: Context) -> AsyncIterator[pb.ReadBlobResponse]:
        """See the contract."""
        parse_parent(request.parent)
        check_digest(request.digest, field="digest")
        offset = request.read_offset
        reading = _Reading(lambda: self._blobs.read(request.digest, request.read_offset, request.read_limit))
        step = self._step(reading)
        try:
            while (chunk := await step) is not None:
                step = self._step(reading)  # while this chunk is sent
                yield pb.ReadBlobResponse(offset=offset, data=chunk)
                offset += len(chunk)
        finally:
            step.cancel()
            # Not awaited: a cancelled call may not wait, and the thread closes after the step it is in.
            self.threads.submit(reading.close)

    def _step(self, reading: _Reading) -> asyncio.Task[bytes | None]:
        step = asyncio.create_task(self.threads.run(reading.next))
        # Nobody may come to ask what became of it: then it is nobody's trouble.
        step.add_done_callback(lambda done: done.cancelled() or done.exception())
        return step

    async def sweep(self) -> None:
        """Discards expired uploads every hour: background work of the server, without an end."""
        while True:
            try:
                count = await self.threads.run(self._uploads.discard_expired)
                _log.info("expired uploads discarded", count=count)
            except ModelFoundryError as error:
                _log.warning("expired uploads could not be discarded", reason=error.message)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _write_all(self, messages: _Messages) -> str:
        upload, writing = None, None
        try:
            while (chunk := await messages.next(writing)) is not None:
                if upload is None:
                    upload = await self.threads.run(self._uploads.get, chunk.name)
                if writing is not None:
                    await writing
                # While a chunk is hashed and written, the next one comes.
                step = self.threads.run(self._uploads.append, upload, chunk.write_offset, chunk.data, chunk.crc32)
                writing = asyncio.create_task(step)
        finally:
            if writing is not None:
                await writing
        if upload is None:
            raise InvalidField(
                "name: the stream had no message", field="name", hint="name the upload in the first message"
            )
        return upload.name


def upload_to_proto(upload: Upload) -> pb.Upload:
    """The message of an upload."""
    return pb.Upload(
        name=upload.name,
        blob=blob_ref_to_proto(upload.blob),
        committed_bytes=upload.committed_bytes,
        complete=upload.complete,
        expire_time=timestamp_to_proto(upload.expire_time),
    )


class _Messages:
    """What a client sends, to be waited for beside what is done with the message before."""

    def __init__(self, messages: AsyncIterator[pb.WriteBlobRequest]) -> None:
        self._messages = messages
        self._coming: asyncio.Future[pb.WriteBlobRequest | None] | None = None

    async def next(self, beside: asyncio.Task[int] | None = None) -> pb.WriteBlobRequest | None:
        """The next message, None behind the last one.

        Args:
            beside: What is done meanwhile. Its error is raised at once: a client that waits for an answer in mid-stream
                sends nothing more. The message that comes then is the next one.
        """
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(self._messages, None))
        if beside is not None:
            either: set[asyncio.Future[Any]] = {self._coming, beside}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if beside.done():
                beside.result()
        message = await self._coming
        self._coming = None
        return message

    def close(self) -> None:
        """Waits for no further message."""
        if self._coming is not None:
            self._coming.cancel()


async def _take_rest(messages: _Messages) -> None:
    """Takes what a client is still sending before it is told what was wrong, within bounds.

    An asyncio client whose message meets a call that is over says "Internal error from Core" and loses the status. One
    that sends at most 32 MiB in a call always hears the true one.
    """
    left = _REST_BYTES
    with suppress(TimeoutError):
        while left >= 0:
            async with asyncio.timeout(_REST_PAUSE_SECONDS):
                message = await messages.next()
            if message is None:
                return
            left -= len(message.data)


class _Reading:
    """A read that steps and closes in threads, never both at once."""

    def __init__(self, begin: Callable[[], Generator[bytes]]) -> None:
        self._begin = begin
        self._chunks: Generator[bytes] | None = None
        self._turn = threading.Lock()

    def next(self) -> bytes | None:
        """The next chunk, or None at the end."""
        with self._turn:
            if self._chunks is None:
                self._chunks = self._begin()
            return next(self._chunks, None)

    def close(self) -> None:
        """Closes what is open; also when it never began."""
        with self._turn:
            if self._chunks is not None:
                self._chunks.close()
