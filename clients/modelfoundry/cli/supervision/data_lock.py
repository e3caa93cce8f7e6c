"""One `modelfoundry up` for every data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelfoundry.errors import InUse


@contextmanager
def locked(data_directory: Path) -> Iterator[None]:
    """Holds the data directory for this process; the kernel lets go of it however the process ends.

    Raises:
        InUse: another process holds it.
    """
    path = data_directory / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(data_directory, holder=os.pread(descriptor, 32, 0).decode().strip()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _in_use(data_directory: Path, *, holder: str) -> InUse:
    return InUse(
        f"modelfoundry up is already running on {data_directory}" + (f" (process {holder})" if holder else ""),
        field="--data-dir",
        hint=f"use it, stop it with `kill {holder or 'PROCESS'}`, or pass another --data-dir with --ports free",
    )
