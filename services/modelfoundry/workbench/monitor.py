"""A job's context as the monitor that long work of the core speaks to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from modelfoundry.client import Client
from modelfoundry.errors import Unavailable
from modelfoundry.runtime.jobs import JobContext

CHECKPOINT_MEDIA_TYPE = "application/vnd.safetensors"


class JobMonitor:
    """Passes progress and cancelling through and keeps checkpoints as blobs of the registry.

    Args:
        context: The job.
        client: For uploading checkpoints.
        checkpoint_seconds: At most one checkpoint in this time: each costs a write of masks and optimiser states.
    """

    def __init__(self, context: JobContext, client: Client, checkpoint_seconds: float) -> None:
        self._context = context
        self._client = client
        self._checkpoint_seconds = checkpoint_seconds
        self._last_checkpoint = time.monotonic()

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        """See `core.monitor.Monitor`."""
        self._context.progress(phase, done, total, unit, metrics)

    def say(self, text: str) -> None:
        """Writes a line into the job's log."""
        self._context.log(text)

    def warn(self, text: str) -> None:
        """Writes a line into the job's log that whoever waits for the job is to see."""
        self._context.log(text, "warning")

    def check_cancelled(self) -> None:
        """See `core.monitor.Monitor`."""
        self._context.check_cancelled()

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        """See `core.monitor.Monitor`."""
        if time.monotonic() - self._last_checkpoint < self._checkpoint_seconds:
            return
        with tempfile.TemporaryDirectory(prefix="modelfoundry-checkpoint-") as folder:
            path = Path(folder) / "checkpoint.safetensors"
            write(path)
            try:
                blob = self._client.blobs.upload(path, media_type=CHECKPOINT_MEDIA_TYPE)
                self._context.save_checkpoint(blob)
            except Unavailable as error:
                # The work is worth more than its checkpoint; the next epoch tries again.
                self._context.log(f"no checkpoint this time: {error.message}", "warning")
                return
        self._last_checkpoint = time.monotonic()
