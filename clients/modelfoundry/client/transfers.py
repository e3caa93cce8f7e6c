"""Several files in one transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from modelfoundry.client.content import OnTransfer
from modelfoundry.errors import MalformedFile


class TotalProgress:
    """Joins the progress of files that are transferred one after another into one."""

    def __init__(self, on_progress: OnTransfer | None, sizes: Sequence[int]) -> None:
        self._on_progress = on_progress
        self._sizes = iter(sizes)
        self._total = sum(sizes)
        self._done = 0

    def next(self) -> OnTransfer | None:
        """What to call while the next file is transferred."""
        if self._on_progress is None:
            return None
        on_progress, before = self._on_progress, self._done
        self._done += next(self._sizes)
        return lambda done, _: on_progress(before + done, self._total)


def file_in(folder: Path, name: str) -> Path:
    """The path of a file that a service named, which may lie nowhere but in the folder.

    Raises:
        MalformedFile: the name is more than a file name.
    """
    if PurePosixPath(name).name != name or "\\" in name or name in {"", ".", ".."}:
        raise MalformedFile(f"the service named a file {name!r}, which is no plain file name", field="files.path")
    return folder / name
