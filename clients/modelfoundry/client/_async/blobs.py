"""Bytes in the registry, named by their SHA-256."""

from __future__ import annotations

from pathlib import Path

from modelfoundry.client.content import OnTransfer
from modelfoundry.client.resources import BlobRef
from modelfoundry.client.transport import AsyncTransport


class AsyncBlobs:
    """Uploads and downloads that resume and verify. Reached as `client.blobs`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._parent = parent

    async def upload(
        self, source: str | Path | bytes, media_type: str = "", *, on_progress: OnTransfer | None = None
    ) -> BlobRef:
        """Uploads a file or bytes; what the registry has already is not sent.

        Args:
            source: A path, or the bytes themselves.
            media_type: For example `application/vnd.safetensors`.
            on_progress: Called with bytes done and bytes in all.

        Raises:
            StorageFull: the registry has no room.
            DigestMismatch: the file was changed while it was read.
            Unavailable: the registry cannot be reached, after several attempts that brought no byte further.
        """
        raise NotImplementedError

    async def download(self, digest: str | BlobRef, path: str | Path, *, on_progress: OnTransfer | None = None) -> Path:
        """Downloads a blob to a file, which is whole and verified or not there.

        Bytes are collected beside it in a `.part` file, from which an interrupted download goes on.

        Args:
            digest: `sha256:...`, or a `BlobRef`.
            path: Where to put it.
            on_progress: Called with bytes done and bytes in all.

        Returns:
            The path.

        Raises:
            NotFound: no such blob.
            CorruptBlob: the bytes are not what their name says; nothing is left behind.
            Unavailable: the registry cannot be reached, after several attempts that brought no byte further.
        """
        raise NotImplementedError

    async def get(self, digest: str) -> BlobRef:
        """Size and media type of a blob.

        Raises:
            NotFound: no such blob.
        """
        raise NotImplementedError
