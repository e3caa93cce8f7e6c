"""What a blob store is, and the checks that every store makes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from modelfoundry.errors import CorruptBlob, DigestMismatch, InvalidField, NotFound, WrongOffset
from modelfoundry.names import DIGEST, check_digest

CHUNK_BYTES: Final = 1024 * 1024
STAGING_PREFIX: Final = "uploads/"
"""Begins the keys of what clients put into the store themselves, which is no blob before it is verified."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Something that lies in a store.

    Attributes:
        key: Where, within the store.
        digest: What it should be, by its key; None for what no registry put there.
        size: Bytes.
        modified: When it was put there.
    """

    key: str
    digest: str | None
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class HashedFile:
    """The digest of a file that was hashed while it was written, and what tells whether it is still that file.

    Attributes:
        digest: `sha256:...` of all that was written.
        device, inode, size, modified_ns: As `os.stat` had them behind the last write.
    """

    digest: str
    device: int
    inode: int
    size: int
    modified_ns: int

    def is_still(self, found: os.stat_result) -> bool:
        """Whether nobody wrote to the file since, or put another in its place."""
        now = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        return now == (self.device, self.inode, self.size, self.modified_ns)


class BlobStore(Protocol):
    """Keeps immutable bytes under their digest, `sha256:` and 64 lower-case hexadecimal digits.

    All methods block; all may be called from several threads. A blob is there wholly or not at all. Every method raises
    `Unavailable` when the store cannot be reached.
    """

    def put_file(self, path: Path, digest: str, size: int, hashed: HashedFile | None = None) -> None:
        """Verifies a file and keeps its bytes durably; a blob that is there already is replaced by the same bytes.

        The file must not be written to any more: the store may keep the file itself.

        Args:
            path: The file.
            digest: What it is to be.
            size: Bytes.
            hashed: What was hashed while it was written. Where that is this file, untouched since, it is not read
                again.

        Raises:
            DigestMismatch: the file has another size or digest.
            StorageFull: the store has no room; nothing of the file stays in it.
        """
        ...

    def open(self, digest: str, offset: int = 0, limit: int = 0) -> Generator[bytes]:
        """Yields the bytes from `offset` on, in chunks of at most `CHUNK_BYTES`; close it when leaving early.

        A whole read is verified: the last chunk comes only when all bytes are right.

        Args:
            digest: Which blob.
            offset: Where to begin, in bytes.
            limit: At most this many bytes; 0 means to the end.

        Raises:
            NotFound: the store lacks the blob; while iterating, too, when it is deleted meanwhile.
            WrongOffset: `offset` is past the end.
            InvalidField: `offset` or `limit` is negative.
            CorruptBlob: while iterating, the bytes are not what their name says.
        """
        ...

    def stat(self, digest: str) -> int | None:
        """Returns how many bytes are stored, or None when there are none under this digest."""
        ...

    def delete(self, digest: str) -> None:
        """Removes a blob; does nothing when it is not there."""
        ...

    def objects(self) -> Iterator[StoredObject]:
        """Yields all that lies in the store, except what is being put there; what comes or goes meanwhile may lack."""
        ...

    def check(self) -> None:
        """Raises `Unavailable` unless the store can be written to (readiness)."""
        ...


def store_key(digest: str) -> str:
    """Where the bytes of a digest lie in every store: `sha256/ab/abcdef...`."""
    algorithm, _, hexadecimal = check_digest(digest, field="digest").partition(":")
    return f"{algorithm}/{hexadecimal[:2]}/{hexadecimal}"


def digest_at(key: str) -> str | None:
    """The digest whose bytes lie at a key; None where none do."""
    algorithm, _, rest = key.partition("/")
    digest = f"{algorithm}:{rest.rpartition('/')[2]}"
    return digest if DIGEST.fullmatch(digest) and store_key(digest) == key else None


def verify_file(path: Path, digest: str, size: int, hashed: HashedFile | None = None) -> None:
    """Compares a file with what was announced; reads it where it was not hashed while it was written.

    Raises:
        DigestMismatch: it has another size or digest.
    """
    with path.open("rb") as file:
        if hashed is not None and hashed.is_still(os.fstat(file.fileno())):
            actual, actual_size = hashed.digest, hashed.size
        else:
            actual = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
            actual_size = file.tell()
    if actual != digest or actual_size != size:
        raise DigestMismatch(
            f"the bytes are not those announced: announced {size} bytes with {digest}, got {actual_size} with {actual}",
            field="upload.blob.digest",
            hint="look whether the file was changed while it was sent, then upload it again",
            metadata={"expected": digest, "actual": actual},
        )


def verified(chunks: Generator[bytes], digest: str, size: int) -> Generator[bytes]:
    """Passes all chunks of a blob on and holds the last one back until the whole has the right digest.

    Raises:
        CorruptBlob: it has not.
    """
    running = hashlib.sha256()
    held = b""
    seen = 0
    with closing(chunks):
        for chunk in chunks:
            if held:
                yield held
            running.update(chunk)
            seen += len(chunk)
            held = chunk
    if seen != size or "sha256:" + running.hexdigest() != digest:
        raise corrupt(digest)
    if held:
        yield held


def corrupt(digest: str) -> CorruptBlob:
    """The error for stored bytes that are not what their name says."""
    return CorruptBlob(
        f"the stored bytes of {digest} are not what their name says",
        hint="the disk or somebody changed them: remove this object from the store and upload the file again",
        metadata={"digest": digest},
    )


def missing(digest: str) -> NotFound:
    """The error for a blob that is not there."""
    return NotFound(
        f"there is no blob {digest}",
        field="digest",
        hint="upload it first, or look at the digest again",
        metadata={"resource": digest},
    )


def span(size: int, offset: int, limit: int) -> int:
    """How many bytes a read of a blob of `size` bytes gives.

    Raises:
        WrongOffset: `offset` is past the end.
        InvalidField: `offset` or `limit` is negative.
    """
    for field, value in (("read_offset", offset), ("read_limit", limit)):
        if value < 0:
            raise InvalidField(f"{field}: {value} is negative", field=field, hint="pass 0 or more")
    if offset > size:
        raise WrongOffset(
            f"read_offset: {offset} is past the end of the blob, which has {size} bytes",
            field="read_offset",
            hint=f"begin at {size} or before",
            metadata={"committed_bytes": str(size)},
        )
    rest = size - offset
    return min(rest, limit) if limit else rest
