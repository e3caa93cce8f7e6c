"""Blobs as files in a folder: the embedded default."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from modelfoundry.errors import StorageFull, Unavailable
from modelfoundry.registry.blobs.store import (
    CHUNK_BYTES,
    HashedFile,
    StoredObject,
    digest_at,
    missing,
    span,
    store_key,
    verified,
    verify_file,
)

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINK: Final = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_STALE_SECONDS: Final = 24 * 3600


class LocalBlobStore:
    """A `BlobStore` in a local folder: one read-only file per digest, written aside and renamed into its place.

    Args:
        folder: Made when it is not there.

    Raises:
        Unavailable: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staging = folder / "staging"
        with disk_errors(folder):
            self._staging.mkdir(parents=True, exist_ok=True)
            self._remove_stale()

    def put_file(self, path: Path, digest: str, size: int, hashed: HashedFile | None = None) -> None:
        """See `BlobStore.put_file`. On one file system the file itself is kept: no byte is copied."""
        target = self._path(digest)
        staged = self._staging / uuid.uuid4().hex
        with disk_errors(self._folder):
            try:
                _link_or_copy(path, staged)
                # The link, and not the path: what is hashed gets its place, whoever replaces the path meanwhile.
                verify_file(staged, digest, size, hashed)
                _make_durable(staged)
                self._place(staged, target)
            finally:
                staged.unlink(missing_ok=True)

    def open(self, digest: str, offset: int = 0, limit: int = 0) -> Generator[bytes]:
        """See `BlobStore.open`."""
        size = self.stat(digest)
        if size is None:
            raise missing(digest)
        length = span(size, offset, limit)
        chunks = self._chunks(digest, offset, length)
        return verified(chunks, digest, size) if length == size else chunks

    def stat(self, digest: str) -> int | None:
        """See `BlobStore.stat`."""
        with disk_errors(self._folder):
            try:
                return self._path(digest).stat().st_size
            except FileNotFoundError:
                return None

    def delete(self, digest: str) -> None:
        """See `BlobStore.delete`."""
        with disk_errors(self._folder):
            self._path(digest).unlink(missing_ok=True)

    def objects(self) -> Iterator[StoredObject]:
        """See `BlobStore.objects`."""
        with disk_errors(self._folder):
            for folder, folders, files in os.walk(self._folder, onerror=_raise_unless_gone):
                if Path(folder) == self._folder:
                    folders.remove(self._staging.name)
                for name in files:
                    path = Path(folder, name)
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        yield self._object(path, path.stat())

    def check(self) -> None:
        """See `BlobStore.check`."""
        if not os.access(self._staging, os.W_OK | os.X_OK):
            raise _unusable(self._folder, "it is gone or may not be written to")

    def _path(self, digest: str) -> Path:
        return self._folder / store_key(digest)

    def _object(self, path: Path, found: os.stat_result) -> StoredObject:
        key = path.relative_to(self._folder).as_posix()
        # The time of the last write is that of the upload's last chunk; renaming it into its place sets this one.
        return StoredObject(key, digest_at(key), found.st_size, datetime.fromtimestamp(found.st_ctime, UTC))

    def _chunks(self, digest: str, offset: int, length: int) -> Generator[bytes]:
        with disk_errors(self._folder):
            try:
                file = self._path(digest).open("rb", buffering=0)
            except FileNotFoundError:
                raise missing(digest) from None
            with file:
                file.seek(offset)
                while length > 0 and (chunk := file.read(min(CHUNK_BYTES, length))):
                    length -= len(chunk)
                    yield chunk

    def _place(self, staged: Path, target: Path) -> None:
        staged.chmod(0o444)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)
        for folder in (target.parent, target.parent.parent, self._folder):
            _make_durable(folder)

    def _remove_stale(self) -> None:
        """Removes what a killed process left; a younger file may belong to a living one."""
        for path in self._staging.iterdir():
            with suppress(FileNotFoundError):  # its owner was quicker
                if path.stat().st_ctime < time.time() - _STALE_SECONDS:
                    path.unlink()


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns what the operating system says about a folder into our words."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(
                f"the disk under {folder} is full",
                hint="free some space or delete modules that nobody needs, then upload again; nothing was kept",
            ) from error
        raise _unusable(folder, os.strerror(error.errno or errno.EIO)) from error


def _unusable(folder: Path, why: str) -> Unavailable:
    return Unavailable(
        f"the folder {folder} cannot be used: {why}",
        hint="look whether its disk is mounted and whether the registry may write to it",
    )


def _raise_unless_gone(error: OSError) -> None:
    if error.errno != errno.ENOENT:
        raise error


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
