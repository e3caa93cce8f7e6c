"""An upload as a value, and what it refuses."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelfoundry.errors import DigestMismatch, InvalidField, NotFound, TooLarge, WrongOffset
from modelfoundry.names import check_digest, shortened
from modelfoundry.values.resources import BlobRef

LIFETIME: Final = timedelta(hours=24)
LARGEST_CHUNK_BYTES: Final = 2 * 1024 * 1024
_LONGEST_MEDIA_TYPE: Final = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it stood when it was asked for.

    Attributes:
        project: Id of the project.
        id: Id of the upload.
        blob: What was announced; of a complete upload, what is stored.
        committed_bytes: Bytes that the server has.
        complete: Whether the blob is in the store.
        expire_time: When the upload is discarded if nothing more comes.
    """

    project: str
    id: str
    blob: BlobRef
    committed_bytes: int
    complete: bool
    expire_time: datetime

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project}/uploads/{self.id}"


def check_announcement(blob: BlobRef) -> None:
    """Refuses what cannot be a blob.

    Raises:
        InvalidField: digest, size or media type are malformed.
    """
    check_digest(blob.digest, field="upload.blob.digest")
    if blob.size_bytes < 0:
        raise InvalidField(
            f"upload.blob.size_bytes: {blob.size_bytes} is negative",
            field="upload.blob.size_bytes",
            hint="pass the number of bytes of the file",
        )
    if len(blob.media_type) > _LONGEST_MEDIA_TYPE or not blob.media_type.isprintable():
        raise InvalidField(
            f"upload.blob.media_type: {shortened(blob.media_type)!r} is not a media type",
            field="upload.blob.media_type",
            hint="pass for example application/vnd.safetensors, or nothing",
        )


def check_chunk(data: bytes, crc32: int) -> None:
    """Refuses a chunk that is too large or did not arrive as it was sent.

    Raises:
        TooLarge: it has more than 2 MiB.
        DigestMismatch: the checksum is another.
    """
    if len(data) > LARGEST_CHUNK_BYTES:
        raise TooLarge(
            f"data: the chunk has {len(data)} bytes, at most {LARGEST_CHUNK_BYTES} are taken",
            field="data",
            hint="send chunks of 1 MiB",
            metadata={"limit_bytes": str(LARGEST_CHUNK_BYTES)},
        )
    actual = zlib.crc32(data)
    if actual != crc32:
        raise DigestMismatch(
            f"crc32: the chunk arrived with checksum {actual:08x}, announced was {crc32:08x}",
            field="crc32",
            hint="send the chunk again; the checksum is zlib's CRC-32 of its data",
            metadata={"expected": f"{crc32:08x}", "actual": f"{actual:08x}"},
        )


def wrong_offset(offset: int, committed: int) -> WrongOffset:
    """The error for a chunk that does not begin where the upload ends."""
    return WrongOffset(
        f"write_offset: the chunk begins at {offset}, but the upload has {committed} bytes",
        field="write_offset",
        hint=f"go on from offset {committed}",
        metadata={"committed_bytes": str(committed)},
    )


def unknown_upload(name: str) -> NotFound:
    """The error for an upload that is not there."""
    return NotFound(
        f"there is no upload {name}",
        field="name",
        hint="it was discarded, or expired after 24 hours without a chunk: open a new one",
        metadata={"resource": name},
    )
