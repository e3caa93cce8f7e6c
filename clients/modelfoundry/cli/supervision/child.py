"""One service as a child process: started, started again when it dies, stopped with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelfoundry.cli.rendering.quantities import duration
from modelfoundry.cli.supervision.health import serving
from modelfoundry.errors import Unavailable

FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A child that ran this long starts again with the first backoff."""
ATTEMPTS_TO_START: Final = 3
LOG_LINES_SHOWN: Final = 15


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """How one service is to be run."""

    name: str
    """`registry`, `decomposer`, `evaluator` or `reuser`."""
    address: str
    """`host:port` that it listens on and is asked for its health at."""
    module: str
    """Python module to run."""
    environment: Mapping[str, str]
    """Settings, on top of this process's environment."""
    log: Path
    """File that its output is appended to."""


class Child:
    """Keeps one service running until it is stopped."""

    def __init__(self, plan: ServicePlan, remark: Callable[[str], None]) -> None:
        self.plan = plan
        self.healthy = asyncio.Event()
        self._remark = remark
        self._process: asyncio.subprocess.Process | None = None
        self._stop = asyncio.Event()

    @property
    def process_id(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep_running(self) -> None:
        """Starts the service, and starts it again with growing pauses whenever it dies.

        Raises:
            Unavailable: it died several times before it was healthy once.
        """
        clock = asyncio.get_running_loop().time
        deaths = 0
        while True:
            started = clock()
            status = await self._run_once()
            if self._stop.is_set():
                return
            deaths = 1 if clock() - started > STEADY_SECONDS else deaths + 1
            if deaths >= ATTEMPTS_TO_START and not self.healthy.is_set():
                raise self._does_not_start(status)
            pause = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** (deaths - 1))
            self._remark(
                f"{self.plan.name} ended ({_cause(status)}), starts again in {duration(pause)}; see {self.plan.log}"
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
                return

    async def stop(self, grace_seconds: float) -> None:
        """Ends the service: SIGTERM, then after the grace time SIGKILL, also to what it left behind."""
        self._stop.set()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace_seconds)
        _kill_group(process.pid)
        await process.wait()

    async def _run_once(self) -> int:
        with self.plan.log.open("ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "modelfoundry.cli.supervision.launch",
                str(os.getpid()),
                self.plan.module,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **self.plan.environment},
                start_new_session=True,  # Ctrl-C at the terminal is for the supervisor, which stops all in order
            )
        if self._stop.is_set():  # stopping was asked for while the process was being made
            _kill_group(process.pid)
        watch = asyncio.create_task(self._watch_health())
        try:
            return await process.wait()
        finally:
            watch.cancel()
            _kill_group(process.pid)

    async def _watch_health(self) -> None:
        back = self.healthy.is_set()
        await serving(self.plan.address)
        self.healthy.set()
        if back:
            self._remark(f"{self.plan.name} is back on {self.plan.address}")

    def _does_not_start(self, status: int) -> Unavailable:
        lines = self.plan.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        self._remark("\n".join([f"last lines of {self.plan.log}:", *lines]))
        return Unavailable(
            f"{self.plan.name} does not start: it ended {ATTEMPTS_TO_START} times ({_cause(status)})",
            hint=f"read {self.plan.log}, or run `modelfoundry doctor`",
        )


def _cause(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _kill_group(leader: int) -> None:
    """Ends what a service started and did not end itself: its group is its own because it leads a session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
