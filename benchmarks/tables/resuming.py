"""Goes on with a row that was ended in the middle."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from modelfoundry.core.monitor import Unwatched

EVERY: Final = 20.0
"""Seconds between two checkpoints."""


class Resuming(Unwatched):
    """Keeps a row's last checkpoint, and the seconds that were spent until then.

    Args:
        path: Of the row's file, which is not there yet; the checkpoint lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._checkpoint, self._spent = path.with_suffix(".checkpoint"), path.with_suffix(".spent")
        self._before: list[float] = json.loads(self._spent.read_text()) if self._spent.exists() else [0.0, 0.0]
        self._began, self._last = _clocks(), time.monotonic()

    @property
    def resume(self) -> Path | None:
        """The checkpoint of a run that was ended; None: there is none."""
        return self._checkpoint if self._checkpoint.exists() else None

    @property
    def seconds(self) -> tuple[float, float]:
        """Of the clock and of the processor, all runs together without what was lost behind a checkpoint."""
        clock, processor = _clocks()
        return self._before[0] + clock - self._began[0], self._before[1] + processor - self._began[1]

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        """Keeps one in a while."""
        if time.monotonic() - self._last < EVERY:
            return
        unfinished = self._checkpoint.with_suffix(".part")
        write(unfinished)
        unfinished.replace(self._checkpoint)
        self._spent.write_text(json.dumps(self.seconds))
        self._last = time.monotonic()

    def done(self) -> None:
        """The row is measured: nothing is gone on with."""
        for path in (self._checkpoint, self._spent):
            path.unlink(missing_ok=True)


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
