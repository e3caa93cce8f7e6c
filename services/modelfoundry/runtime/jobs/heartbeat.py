"""Keeps a job's lease alive and tells its progress, in a thread that needs nothing of the job's own code."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Self

import structlog

from modelfoundry.errors import Internal, LeaseLost, Unavailable
from modelfoundry.runtime.jobs.context import JobContext
from modelfoundry.runtime.jobs.queue import PATIENCE_SECONDS, LeasedJob

INTERVAL_SECONDS: Final = 0.8
LINES_PER_REPORT: Final = 100

_log = structlog.get_logger(__name__)


class Heartbeat:
    """Reports a job about every second, from before its handler is imported until after its end was told.

    Args:
        job: Whom to report to.
        context: What to report, and where to say that the job is to stop.
        on_lost: Called once, in the heartbeat's thread, when the job was given to another worker.
    """

    def __init__(self, job: LeasedJob, context: JobContext, on_lost: Callable[[], None]) -> None:
        self._job = job
        self._context = context
        self._on_lost = on_lost
        self._reporting = threading.Lock()
        self._ended = threading.Event()
        self._registry_away = False
        self._thread = threading.Thread(target=self._beat, name="job-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join()

    def flush(self) -> None:
        """Reports all that there is now, so that it comes before the job's end, and waits for a registry that is away.

        Raises:
            LeaseLost: another worker has the job, or it was given up.
        """
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not (self._report() and not self._context.has_lines) and time.monotonic() < give_up_at:
            if self._registry_away and self._context.stopped.wait(INTERVAL_SECONDS):
                raise LeaseLost(f"{self._context.name} was taken from this worker")

    def _beat(self) -> None:
        while not self._ended.is_set():
            try:
                self._report()
            except LeaseLost:
                if not self._ended.is_set():  # after the job's end, its lease is gone of course
                    _log.warning("the job was given to another worker")
                    self._context.stopped.set()
                    self._on_lost()
                return
            self._ended.wait(INTERVAL_SECONDS)

    def _report(self) -> bool:
        """Reports once; returns whether the registry took it or never will."""
        with self._reporting:
            progress = self._context.meter.news()
            lines = self._context.take_lines(LINES_PER_REPORT)
            try:
                cancel = self._job.report(progress, lines)
            except Unavailable as error:
                self._context.meter.forget_told()
                self._context.put_lines_back(lines)
                if not self._registry_away:
                    _log.warning("cannot report, going on", cause=error.message)
                self._registry_away = True
                return False
            except Internal as error:
                _log.error("a report was refused", cause=error.message)
                return True
        self._registry_away = False
        if cancel:
            self._context.cancel_requested.set()
        return True
