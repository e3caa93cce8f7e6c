"""`modelfoundry up` as people run it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

COMMAND = (sys.executable, "-m", "modelfoundry.cli")
SECONDS = 120


class RunningUp:
    """A `modelfoundry up` process, its lines on stderr, and its children."""

    def __init__(self, data_directory: Path, *options: str, **settings: str) -> None:
        self.data_directory = data_directory
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MODELFOUNDRY_")}
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--json", "--data-dir", str(data_directory), *(options or ("--ports", "free"))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**inherited, **settings},
        )
        self.said: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def announced(self) -> dict[str, Any]:
        """The line that it prints when all services answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "".join(self.said)
        found: dict[str, Any] = json.loads(line)
        return found

    def children(self) -> dict[str, psutil.Process]:
        """Its services by name."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            last = child.cmdline()[-1:]  # a child that is being made still has another command line, or none
            if last and last[0].startswith("modelfoundry."):
                found[last[0].removeprefix("modelfoundry.")] = child
        return found

    def wait_until_it_says(self, text: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: any(text in line for line in self.said), SECONDS), self.said

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit status."""
        self.process.send_signal(number)
        return self.outcome()

    def outcome(self) -> int:
        status = self.process.wait(SECONDS)
        self._reader.join()
        return status

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.said.append(line)
                self._news.notify_all()
        self.process.stderr.close()


Starter = Callable[..., RunningUp]
