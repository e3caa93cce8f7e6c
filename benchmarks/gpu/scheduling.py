"""Runs rows beside each other in processes of their own, until all are measured or the time is over."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tables.rows import PUBLIC, Row

PAUSE = 0.2
"""Seconds between two looks at what runs."""


def run_rows(
    rows: Sequence[Row],
    folder: Path,
    command: Callable[[Row], list[str]],
    *,
    slots: int,
    until: float,
    public: bool,
) -> list[Row]:
    """Starts rows in their order, those that need a network when it is trained, and ends what runs when time is over.

    Args:
        rows: Those that are there already are not run again.
        folder: Where every row's process leaves a file.
        command: Starts one row.
        slots: Processes at a time.
        until: Of the monotonic clock.
        public: Whether the published ResNet20 is there from the beginning.

    Returns:
        The rows that were running when the time was over.
    """
    waiting = [row for row in rows if not (folder / f"{row.key}.json").exists()]
    running: dict[str, tuple[Row, subprocess.Popen[bytes]]] = {}
    while (waiting or running) and time.monotonic() < until:
        for key, (_, process) in list(running.items()):
            if process.poll() is not None:
                del running[key]
        ready = [row for row in waiting if _ready(row, folder, public=public)]
        for row in ready[: slots - len(running)]:
            waiting.remove(row)
            log = (folder / f"{row.key}.log").open("wb")
            running[row.key] = row, subprocess.Popen(command(row), stdout=log, stderr=log, start_new_session=True)
        if not running and not ready:
            break  # what is left needs a network whose training failed
        time.sleep(PAUSE)
    for _, process in running.values():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [row for row, _ in running.values()]


def _ready(row: Row, folder: Path, *, public: bool) -> bool:
    if row.kind == "network" or (public and row.base == PUBLIC):
        return True
    return (folder / f"{row.base}.safetensors").exists()
