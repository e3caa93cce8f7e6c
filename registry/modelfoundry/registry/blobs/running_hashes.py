"""Digests of files that grow chunk by chunk, so that a whole one need not be read again."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from modelfoundry.registry.blobs.store import HashedFile

MOST_FILES: Final = 1024


@dataclass(slots=True)
class _Running:
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    length: int = 0
    found: os.stat_result | None = None


class RunningHashes:
    """What this process itself wrote to files, hashed while it was written.

    Of a file that another process wrote to as well, or that this one began before it was restarted, nothing is known:
    it is read. Callers hold each file's lock.
    """

    def __init__(self) -> None:
        self._running: OrderedDict[str, _Running] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, offset: int) -> _Running | None:
        """What is known of a file, to be put back behind the next write; None where its beginning is not known.

        Args:
            name: Of the file.
            offset: Where the next write begins.
        """
        with self._lock:
            running = self._running.pop(name, None)
        if offset == 0:
            return _Running()
        return running if running is not None and running.length == offset else None

    def put(self, name: str, running: _Running, data: bytes, found: os.stat_result) -> None:
        """Notes a write that went well.

        Args:
            name: Of the file.
            running: As it was taken.
            data: What was written.
            found: The file behind the write.
        """
        running.hash.update(data)
        running.length += len(data)
        running.found = found
        with self._lock:
            self._running[name] = running
            while len(self._running) > MOST_FILES:
                self._running.popitem(last=False)

    def finished(self, name: str) -> HashedFile | None:
        """The digest of a file; None where it must be read."""
        with self._lock:
            running = self._running.get(name)
        if running is None or running.found is None or running.found.st_size != running.length:
            return None
        found = running.found
        return HashedFile(
            f"sha256:{running.hash.hexdigest()}", found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
        )

    def forget(self, name: str) -> None:
        """The file is gone."""
        with self._lock:
            self._running.pop(name, None)
