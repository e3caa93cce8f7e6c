"""Files in which the bytes of uploads gather: the size of the file is the number of bytes committed."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from modelfoundry.registry.blobs.local_store import disk_errors


class Spool:
    """A folder with one file for each upload, by the upload's id.

    Every method raises `Unavailable` when the folder cannot be used.

    Args:
        folder: Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, upload_id: str) -> Path:
        """The file of an upload."""
        return self._folder / upload_id

    def create(self, upload_id: str) -> None:
        """Makes an empty file; leaves one alone that is there.

        Raises:
            StorageFull: the disk is full.
        """
        with disk_errors(self._folder):
            self.path(upload_id).touch()

    def size(self, upload_id: str) -> int | None:
        """Bytes committed, or None when there is no such file."""
        with disk_errors(self._folder):
            try:
                return self.path(upload_id).stat().st_size
            except FileNotFoundError:
                return None

    def append(self, upload_id: str, data: bytes) -> os.stat_result:
        """Adds bytes at the end: all of them or, when it fails, none.

        Returns:
            The file behind the write.

        Raises:
            StorageFull: the disk is full.
        """
        with disk_errors(self._folder):
            descriptor = os.open(self.path(upload_id), os.O_WRONLY | os.O_APPEND)
            try:
                committed = os.fstat(descriptor).st_size
                try:
                    _write_all(descriptor, data)
                except OSError:
                    os.ftruncate(descriptor, committed)
                    raise
                return os.fstat(descriptor)
            finally:
                os.close(descriptor)

    def remove(self, upload_id: str) -> None:
        """Removes a file; does nothing when it is not there."""
        with disk_errors(self._folder):
            self.path(upload_id).unlink(missing_ok=True)

    def last_write(self, upload_id: str) -> datetime | None:
        """When bytes came last, or None when there is no such file."""
        with disk_errors(self._folder):
            try:
                return datetime.fromtimestamp(self.path(upload_id).stat().st_mtime, UTC)
            except FileNotFoundError:
                return None

    def upload_ids(self) -> list[str]:
        """The uploads that have a file."""
        with disk_errors(self._folder):
            return [path.name for path in self._folder.iterdir()]

    def free_bytes(self) -> int:
        """Room on the disk of the folder."""
        with disk_errors(self._folder):
            return shutil.disk_usage(self._folder).free


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
