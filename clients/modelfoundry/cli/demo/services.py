"""The four services in a fresh data directory, for as long as the demo needs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelfoundry.cli.supervision.data_lock import locked
from modelfoundry.client import Endpoints
from modelfoundry.errors import Unavailable

FOLDER: Final = "modelfoundry-data"
STOP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class LocalServices:
    """Services that run, and the process that keeps them running."""

    endpoints: Endpoints
    data_directory: Path
    process_id: int


@contextmanager
def local_services(output: Path, settings: Mapping[str, str], *, keep: bool) -> Iterator[LocalServices]:
    """Runs `modelfoundry up` on free ports with its data under `output`; stops it at the end unless `keep`.

    Raises:
        Unavailable: the services do not start.
        InUse: those of an earlier demo, which was told to keep them, still run there.
    """
    data_directory = (output / FOLDER).resolve()
    _make_fresh(data_directory)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MODELFOUNDRY_")}
    log = output / "up.log"
    with log.open("wb") as errors:
        up = subprocess.Popen(  # noqa: S603 - our own program
            [*_program(keep=keep), "up", "--ports", "free", "--json", "--data-dir", str(data_directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**inherited, **settings},
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the services
        )
    kept = False
    try:
        yield LocalServices(_endpoints(up, log), data_directory, up.pid)
        kept = keep
    finally:
        if not kept:
            _stop(up)


def _program(*, keep: bool) -> list[str]:
    if keep:
        return [sys.executable, "-m", "modelfoundry.cli"]
    launch = "modelfoundry.cli.supervision.launch"  # so that the services end when the demo is killed, too
    return [sys.executable, "-m", launch, str(os.getpid()), "modelfoundry.cli"]


def _make_fresh(data_directory: Path) -> None:
    if data_directory.exists():
        with locked(data_directory):
            shutil.rmtree(data_directory)
    data_directory.mkdir(parents=True)


def _endpoints(up: subprocess.Popen[bytes], log: Path) -> Endpoints:
    line = up.stdout.readline() if up.stdout else b""
    if not line:
        raise Unavailable("the services do not start", hint=f"read {log}")
    return Endpoints(**json.loads(line)["endpoints"])


def _stop(up: subprocess.Popen[bytes]) -> None:
    up.send_signal(signal.SIGTERM)
    try:
        up.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        up.kill()
        up.wait()
    finally:
        if up.stdout:
            up.stdout.close()
