"""Bytes in the registry, named by their SHA-256."""

from __future__ import annotations

from pathlib import Path

from modelfoundry import errors
from modelfoundry.api.registry.v1 import blob_service_pb2
from modelfoundry.client._async.direct import AsyncDirectUrls
from modelfoundry.client.content import Content, OnTransfer, PartFile, content_of, holds, write_requests
from modelfoundry.client.direct import DIRECT_BYTES, DirectDownload, DirectFailed, DirectUpload
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import upload_request_id
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.resources import BlobRef
from modelfoundry.wire.resources import blob_ref_from_proto, blob_ref_to_proto

BROKEN_STREAM = (errors.Unavailable, errors.DeadlineExceeded, errors.WrongOffset)
"""After these a transfer goes on from where the other side stands."""


class AsyncBlobs:
    """Uploads and downloads that resume and verify. Reached as `client.blobs`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent
        self._direct = AsyncDirectUrls(transport, parent)

    async def upload(
        self, source: str | Path | bytes, media_type: str = "", *, on_progress: OnTransfer | None = None
    ) -> BlobRef:
        """Uploads a file or bytes; what the registry has already is not sent, not even what an earlier try left there.

        Args:
            source: A path, or the bytes themselves.
            media_type: For example `application/vnd.safetensors`.
            on_progress: Called with bytes done and bytes in all.

        Raises:
            OSError: the file cannot be read.
            StorageFull: the registry has no room.
            DigestMismatch: the file was changed while it was read.
            Unavailable: the registry cannot be reached, after several attempts that brought no byte further.
        """
        content = await self._transport.in_thread(content_of, source)
        blob = BlobRef(content.digest, content.size_bytes, media_type)
        if not await self.missing([content.digest]):
            if on_progress is not None:
                on_progress(content.size_bytes, content.size_bytes)
            return blob
        request = blob_service_pb2.CreateUploadRequest(
            parent=self._parent,
            upload=blob_service_pb2.Upload(blob=blob_ref_to_proto(blob)),
            request_id=upload_request_id(self._parent, blob),
        )
        upload = await self._transport.unary(Service.REGISTRY, self._stubs.blobs.CreateUpload, request)
        if not upload.complete and not await self._put(upload, content, on_progress):
            await self._send(upload, content, self._transport.in_caller(on_progress))
        return blob

    async def missing(self, digests: list[str]) -> list[str]:
        """Those of at most 1000 digests that the registry lacks."""
        request = blob_service_pb2.FindMissingBlobsRequest(parent=self._parent, digests=digests)
        response = await self._transport.unary(Service.REGISTRY, self._stubs.blobs.FindMissingBlobs, request)
        return list(response.missing_digests)

    async def get(self, digest: str) -> BlobRef:
        """Size and media type of a blob.

        Raises:
            NotFound: no such blob.
        """
        request = blob_service_pb2.GetBlobRequest(parent=self._parent, digest=digest)
        return blob_ref_from_proto(await self._transport.unary(Service.REGISTRY, self._stubs.blobs.GetBlob, request))

    async def download(self, digest: str | BlobRef, path: str | Path, *, on_progress: OnTransfer | None = None) -> Path:
        """Downloads a blob to a file, which is whole and verified or not there.

        Bytes are collected beside it in a `.part` file, from which an interrupted download goes on. Nothing is sent
        when the file is there already.

        Args:
            digest: `sha256:...`, or a `BlobRef`.
            path: Where to put it. Folders above are made.
            on_progress: Called with bytes done and bytes in all.

        Returns:
            The path.

        Raises:
            NotFound: no such blob.
            CorruptBlob: the bytes are not what their name says; nothing is left behind.
            OSError: the file cannot be written.
            Unavailable: the registry cannot be reached, after several attempts that brought no byte further.
        """
        name = digest.digest if isinstance(digest, BlobRef) else digest
        target = Path(path)
        if await self._transport.in_thread(holds, target, name):
            return target
        blob = await self.get(name)
        with await self._transport.in_thread(PartFile, target) as part:
            direct = await self._fetch(part, blob, on_progress)
            await self._fill(part, blob, on_progress)
            if (part.taken_over or direct) and not part.is_whole(name):
                part.clear()  # what came otherwise than from the registry was no good: once more, from the beginning
                await self._fill(part, blob, on_progress)
            await self._transport.in_thread(part.commit, name)
        return target

    async def _put(self, upload: blob_service_pb2.Upload, content: Content, on_progress: OnTransfer | None) -> bool:
        """Sends all bytes past the registry where it offers that; returns whether the blob is there now."""
        if content.size_bytes < DIRECT_BYTES or upload.committed_bytes:
            return False
        url = await self._direct.upload_url(upload.name)
        if not url:
            return False
        try:
            with await self._transport.in_thread(DirectUpload, url, content.size_bytes) as put:
                done = 0
                for chunk in content.chunks(0):
                    await self._transport.in_thread(put.send, chunk)
                    done += len(chunk)
                    if on_progress is not None:
                        on_progress(done, content.size_bytes)
                await self._transport.in_thread(put.finish)
        except DirectFailed:
            self._direct.pause()
            return False
        failures = 0
        while True:
            try:
                await self._finalize(upload)
            except BROKEN_STREAM as error:
                failures = await self._after_failure(failures, error)
            else:
                return True

    async def _fetch(self, part: PartFile, blob: BlobRef, on_progress: OnTransfer | None) -> bool:
        """Receives bytes past the registry where it offers that; returns whether any came."""
        before = part.length
        if blob.size_bytes - before < DIRECT_BYTES:
            return False
        url = await self._direct.download_url(blob.digest)
        if not url:
            return False
        try:
            with await self._transport.in_thread(DirectDownload, url, before) as source:
                while part.length < blob.size_bytes and (chunk := await self._transport.in_thread(source.read)):
                    part.append(part.length, chunk)
                    if on_progress is not None:
                        on_progress(part.length, blob.size_bytes)
        except DirectFailed:
            self._direct.pause()
        return part.length > before

    async def _send(self, upload: blob_service_pb2.Upload, content: Content, on_progress: OnTransfer | None) -> None:
        failures = 0
        while not upload.complete:
            before = upload.committed_bytes
            try:
                if upload.committed_bytes < content.size_bytes:
                    requests = write_requests(upload.name, content, upload.committed_bytes, on_progress)
                    upload = await self._transport.send(
                        Service.REGISTRY,
                        self._stubs.uploads.WriteBlob,
                        requests,
                        timeout=self._transport.timeouts.transfer,
                    )
                    _check_unchanged(upload, content)
                await self._finalize(upload)
            except BROKEN_STREAM as error:
                failures = await self._after_failure(failures, error)
                upload = await self._found_again(upload, error)
                failures = 0 if upload.committed_bytes > before else failures
            else:
                return

    async def _finalize(self, upload: blob_service_pb2.Upload) -> None:
        request = blob_service_pb2.FinalizeUploadRequest(name=upload.name)
        await self._transport.unary(
            Service.REGISTRY, self._stubs.blobs.FinalizeUpload, request, timeout=self._transport.timeouts.transfer
        )

    async def _found_again(
        self, upload: blob_service_pb2.Upload, cause: errors.ModelFoundryError
    ) -> blob_service_pb2.Upload:
        request = blob_service_pb2.GetUploadRequest(name=upload.name)
        try:
            return await self._transport.unary(Service.REGISTRY, self._stubs.blobs.GetUpload, request)
        except (errors.Unavailable, errors.DeadlineExceeded):
            return upload  # still away: the next attempt says so again
        except errors.NotFound as error:
            raise cause from error  # the upload is gone, which is not what went wrong

    async def _fill(self, part: PartFile, blob: BlobRef, on_progress: OnTransfer | None) -> None:
        if part.length > blob.size_bytes:
            part.clear()
        failures = 0
        while part.length < blob.size_bytes:
            before = part.length
            try:
                await self._receive(part, blob, on_progress)
            except BROKEN_STREAM as error:
                failures = await self._after_failure(0 if part.length > before else failures, error)
            except errors.CorruptBlob:
                part.discard()
                raise
            else:
                if part.length == before:
                    part.discard()
                    raise errors.CorruptBlob(
                        f"{blob.digest} ends after {before:,} of {blob.size_bytes:,} bytes",
                        field="digest",
                        hint="the blob store is damaged: upload the bytes again",
                        metadata={"digest": blob.digest},
                    )
        if on_progress is not None:
            on_progress(part.length, blob.size_bytes)

    async def _receive(self, part: PartFile, blob: BlobRef, on_progress: OnTransfer | None) -> None:
        request = blob_service_pb2.ReadBlobRequest(parent=self._parent, digest=blob.digest, read_offset=part.length)
        timeout = self._transport.timeouts.transfer
        async with self._transport.receive(
            Service.REGISTRY, self._stubs.blobs.ReadBlob, request, timeout=timeout
        ) as chunks:
            async for chunk in chunks:
                part.append(chunk.offset, chunk.data)
                if on_progress is not None:
                    on_progress(part.length, blob.size_bytes)

    async def _after_failure(self, failures: int, error: errors.ModelFoundryError) -> int:
        failures += 1
        if failures >= self._transport.retries.without_progress:
            raise error
        await self._transport.pause(self._transport.retries.backoff(failures))
        return failures


def _check_unchanged(upload: blob_service_pb2.Upload, content: Content) -> None:
    if upload.committed_bytes < content.size_bytes:
        raise errors.DigestMismatch(
            f"only {upload.committed_bytes:,} of {content.size_bytes:,} bytes were there to be sent",
            field="source",
            hint="the file was changed during the upload: try again",
            metadata={"expected": content.digest},
        )
