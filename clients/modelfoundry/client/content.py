"""Bytes on this side of a transfer: hashing, chunks, and the `.part` file that a download grows in."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from modelfoundry.api.registry.v1 import blob_service_pb2
from modelfoundry.errors import CorruptBlob, WrongOffset

try:
    import fcntl
except ImportError:  # Windows has none: there two processes must not download to one path at once
    fcntl = None  # type: ignore[assignment]

CHUNK_BYTES: Final = 1024 * 1024

OnTransfer = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """Bytes of a file, with their digest and number."""

    path: Path
    digest: str
    size_bytes: int

    def chunks(self, offset: int) -> Iterator[bytes]:
        """The bytes from `offset`, at most 1 MiB at a time."""
        with self.path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes in memory, with their digest and number."""

    data: bytes
    digest: str
    size_bytes: int

    def chunks(self, offset: int) -> Iterator[bytes]:
        """The bytes from `offset`, at most 1 MiB at a time."""
        for begin in range(offset, len(self.data), CHUNK_BYTES):
            yield self.data[begin : begin + CHUNK_BYTES]


Content = FileContent | BytesContent


def content_of(source: str | Path | bytes) -> Content:
    """Reads all of a file, or bytes, once for their digest."""
    if isinstance(source, bytes):
        return BytesContent(source, _named(hashlib.sha256(source)), len(source))
    path = Path(source)
    with path.open("rb") as file:
        digest = _named(hashlib.file_digest(file, "sha256"))
        return FileContent(path, digest, file.tell())


def write_requests(
    name: str, content: Content, offset: int, on_progress: OnTransfer | None
) -> Iterator[blob_service_pb2.WriteBlobRequest]:
    """Messages that append the bytes from `offset` to an upload."""
    for chunk in content.chunks(offset):
        yield blob_service_pb2.WriteBlobRequest(name=name, write_offset=offset, data=chunk, crc32=zlib.crc32(chunk))
        offset += len(chunk)
        if on_progress is not None:
            on_progress(min(offset, content.size_bytes), content.size_bytes)


def holds(path: Path, digest: str) -> bool:
    """Whether a file is there with exactly these bytes."""
    return path.is_file() and content_of(path).digest == digest


class PartFile:
    """The file beside the target that a download grows in.

    It survives an interruption, and a later download to the same path goes on from it. One process at a time can have
    it; another one that wants the same path grows a file of its own.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path = target.with_name(f"{target.name}.part")
        self._file = self._opened()
        self._hash = hashlib.sha256()
        self.length = 0
        """Bytes that are there."""
        self.taken_over = 0
        """How many of them an earlier download left."""

    def __enter__(self) -> Self:
        while chunk := self._file.read(CHUNK_BYTES):
            self._hash.update(chunk)
            self.length += len(chunk)
        self.taken_over = self.length
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, offset: int, data: bytes) -> None:
        """Adds a chunk.

        Raises:
            WrongOffset: it does not begin where the file ends.
        """
        if offset != self.length:
            raise WrongOffset(f"a chunk begins at byte {offset}, not at {self.length}", field="read_offset")
        self._file.write(data)
        self._hash.update(data)
        self.length += len(data)

    def clear(self) -> None:
        """Throws away what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.length = self.taken_over = 0

    def discard(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)

    def is_whole(self, digest: str) -> bool:
        """Whether the bytes are those that the digest names."""
        return _named(self._hash) == digest

    def commit(self, digest: str) -> None:
        """Puts the file in the target's place, in one step.

        Raises:
            CorruptBlob: the bytes are others than the digest says; the file is removed.
        """
        if not self.is_whole(digest):
            self.discard()
            raise CorruptBlob(
                f"what arrived is {_named(self._hash)}, not {digest}",
                field="digest",
                hint="try again; if it stays so, the blob store is damaged: upload the bytes again",
                metadata={"digest": digest},
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._target)

    def _opened(self) -> IO[bytes]:
        file = self._path.open("a+b")
        if not _locked(file):
            file.close()
            self._path = self._target.with_name(f"{self._target.name}.{os.getpid()}-{id(self):x}.part")
            file = self._path.open("a+b")
            _locked(file)
        file.seek(0)
        return file


def _locked(file: IO[bytes]) -> bool:
    if fcntl is None:
        return True
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _named(digest: hashlib._Hash) -> str:
    return f"sha256:{digest.hexdigest()}"
