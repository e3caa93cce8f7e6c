"""Blobs on the local disk of a worker, fetched once, shared by all processes of a machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelfoundry.client import Client


@dataclass(frozen=True, slots=True)
class BlobCache:
    """A folder of blobs by digest, the least recently used removed when it grows over its limit.

    Args:
        folder: Where blobs are kept; made when absent.
        limit_bytes: Size above which old blobs are removed. One blob larger than that is still fetched.
    """

    folder: Path
    limit_bytes: int

    def fetch(self, client: Client, digest: str) -> Path:
        """Path of a blob's bytes, downloaded and verified when they are not there yet.

        Raises:
            NotFound: the registry lacks the blob.
            CorruptBlob: the bytes are not those of the digest.
            Unavailable: the registry cannot be reached.
        """
        path = self.folder / digest.removeprefix("sha256:")
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked(path.name):
            if not path.exists():
                client.blobs.download(digest, path)
            os.utime(path)  # not left to atime, which most file systems keep a day behind
        self.shrink(keep=path)
        return path

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        # Two workers that need the same blob at once download it once.
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def shrink(self, keep: Path) -> None:
        """Removes what was not used for longest until the folder fits its limit; whatever `keep` is stays."""
        blobs = [path for path in self.folder.iterdir() if not path.suffix]
        sizes = {path: path.stat() for path in blobs}
        total = sum(stat.st_size for stat in sizes.values())
        for path in sorted(blobs, key=lambda blob: sizes[blob].st_mtime):
            if total <= self.limit_bytes:
                return
            if path != keep:
                # A worker that has it open or mapped keeps its bytes until it is done.
                path.unlink(missing_ok=True)
                total -= sizes[path].st_size
