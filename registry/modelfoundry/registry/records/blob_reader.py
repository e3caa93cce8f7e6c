"""What resources need of the room that keeps bytes: `modelfoundry.registry.blobs` fits, and knows nothing of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Protocol

from modelfoundry.errors import BlobMissing

MEDIA_TYPE: Final = "application/vnd.safetensors"


class StoredBlob(Protocol):
    """A blob that is there."""

    @property
    def size_bytes(self) -> int:
        """Number of bytes."""
        ...


class BlobReader(Protocol):
    """What the catalog needs of `modelfoundry.registry.blobs`."""

    def find(self, digest: str) -> StoredBlob | None:
        """The blob, or None when there is none."""
        ...

    def read(self, digest: str, offset: int = 0, limit: int = 0) -> Generator[bytes]:
        """Yields the bytes from `offset` on; `limit` 0 means to the end."""
        ...


def missing_blob(digest: str, *, field: str) -> BlobMissing:
    """The error for a blob that a resource names and that was not uploaded."""
    return BlobMissing(
        f"{field}: there is no blob {digest}", field=field, hint="upload the file first", metadata={"digest": digest}
    )
