"""What a job's handler sees of the world that runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from google.protobuf.message import Message

from modelfoundry.errors import Cancelled, LeaseLost
from modelfoundry.runtime.jobs.progress import ProgressMeter
from modelfoundry.values.resources import BlobRef
from modelfoundry.values.results import LogLine, Severity

LOG_LINE_LIMIT: Final = 4096
LOG_LINES_KEPT: Final = 1000


class JobContext:
    """The job that is being carried out. Everything may be called from any thread.

    Args:
        name: `projects/{project}/operations/{operation}`.
        attempt: Times that the job was started, this one included.
        checkpoint: Where to take it up again; None: from the beginning.
        registry: Address of the registry.
        save: Tells the queue of a checkpoint.
        stopped: Set when the job is not this worker's any more.
    """

    def __init__(
        self,
        *,
        name: str,
        attempt: int,
        checkpoint: BlobRef | None,
        registry: str,
        save: Callable[[BlobRef], None],
        stopped: threading.Event,
    ) -> None:
        self.name = name
        self.attempt = attempt
        self.checkpoint = checkpoint
        self.registry = registry
        self.meter = ProgressMeter()
        self.cancel_requested = threading.Event()
        self.stopped = stopped
        self._save = save
        self._lock = threading.Lock()
        self._lines: list[LogLine] = []

    def progress(
        self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Says how far the job is. Cheap enough for every step; what is newest once a second reaches people.

        Args:
            phase: What is being done.
            done: Units done in the phase.
            total: Units of the phase; 0 when unknown.
            unit: What a unit is, for example `epoch`.
            metrics: Figures of the moment.
        """
        self.meter.update(phase, done, total, unit, metrics or {})

    def log(self, text: str, severity: Literal["info", "warning", "error"] = "info") -> None:
        """Says something to the people who watch the job; cut to 4 KiB."""
        cut = text.encode("utf-8", "replace")[:LOG_LINE_LIMIT].decode("utf-8", "ignore")
        with self._lock:
            self._lines.append(LogLine(Severity(severity), cut))
            del self._lines[:-LOG_LINES_KEPT]

    def check_cancelled(self) -> None:
        """Returns when the job is to go on. To be called often, at every step.

        Raises:
            Cancelled: somebody asked for the job to stop.
            LeaseLost: the job is not ours any more; whatever is done now is lost.
        """
        if self.stopped.is_set():
            raise LeaseLost(f"{self.name} was taken from this worker")
        if self.cancel_requested.is_set():
            raise Cancelled(f"{self.name} was cancelled")

    def save_checkpoint(self, blob: BlobRef) -> None:
        """Notes the blob, uploaded before, from which another worker could take the job up again.

        Raises:
            LeaseLost: the job is not ours any more.
            Unavailable: the registry cannot be reached.
            Internal: the registry refuses the checkpoint.
        """
        self._save(blob)

    @property
    def has_lines(self) -> bool:
        """True when log lines wait to be reported."""
        return bool(self._lines)

    def take_lines(self, limit: int) -> list[LogLine]:
        """Removes and returns the oldest log lines, for a report."""
        with self._lock:
            taken, self._lines = self._lines[:limit], self._lines[limit:]
        return taken

    def put_lines_back(self, lines: list[LogLine]) -> None:
        """Undoes `take_lines` after a report that failed."""
        with self._lock:
            self._lines = [*lines, *self._lines][-LOG_LINES_KEPT:]


JobHandler = Callable[[Any, JobContext], Message]
"""Carries out a job: takes the request, a protobuf message, and the context; returns the response, a protobuf message.
Raises errors of `modelfoundry.errors`; anything else counts as a mistake of ours. Named by its import path
`package.module:function`, so that a process of its own can import it."""
