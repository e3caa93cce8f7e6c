"""Tensors on a worker's disk that jobs share: made by whichever comes first, forgotten with the least used blobs."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.workbench.cache import BlobCache

_LOG = logging.getLogger(__name__)
_VALUE: Final = "value"


class CacheShelf:
    """A shelf in the blob cache of a machine, for work on the same materials.

    A value is a file with a digest of its bytes; one that is cut short or was changed is no value. Many processes may
    call at once.

    Args:
        cache: Its limit on bytes holds for what is kept here too.
        materials: A fingerprint of all that values depend on and their names do not say.
    """

    def __init__(self, cache: BlobCache, materials: str) -> None:
        self._cache, self._materials = cache, materials

    def take(self, name: str) -> Tensor | None:
        """What was put there under a name; None when nothing was, or it is gone or damaged."""
        path = self._path(name)
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                metadata, value = file.metadata() or {}, file.get_tensor(_VALUE)
            os.utime(path)  # used now
        except (OSError, safetensors.SafetensorError):
            return None
        return value if metadata.get("digest") == _digest(value) else None

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """For the time of a block, whether it is this work that makes what the name stands for; never waits."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f"{path.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def put(self, name: str, value: Tensor) -> None:
        """Keeps a tensor that was claimed; it may be gone at any later time. On a full disk it is not kept."""
        path = self._path(name)
        try:
            write_tensors(path, {_VALUE: value}, {"digest": _digest(value)})
        except OSError as error:
            _LOG.warning("nothing is shared with other jobs: %s", error)
            return
        self._cache.shrink(keep=path)

    def _path(self, name: str) -> Path:
        of = hashlib.sha256(f"{self._materials} {name}".encode()).hexdigest()
        return self._cache.folder / f"shelf-{of}"


def _digest(value: Tensor) -> str:
    data = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(data.numpy().data).hexdigest()
