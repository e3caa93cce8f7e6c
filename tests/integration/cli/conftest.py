"""Commands against services that `modelfoundry up` keeps running."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_up import RunningUp, Starter
from warm_python import finished


@pytest.fixture(scope="module")
def start_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts `modelfoundry up` on a new data directory; whatever still runs at the end is stopped."""
    started: list[RunningUp] = []

    def start(*options: str, data_directory: Path | None = None, **settings: str) -> RunningUp:
        up = RunningUp(data_directory or tmp_path_factory.mktemp("data"), *options, **settings)
        started.append(up)
        return up

    yield start
    for up in started:
        if up.process.poll() is None:
            up.end()
        if up.process.stdout is not None:
            up.process.stdout.close()


@pytest.fixture(scope="module")
def services(start_up: Starter) -> RunningUp:
    """All four services, for tests that do them no harm."""
    up = start_up()
    up.announced()
    return up


@pytest.fixture
def call(services: RunningUp) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command against the services."""

    def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MODELFOUNDRY_HOME": str(services.data_directory)}
        outcome = finished("modelfoundry.cli", *arguments, env=environment)
        assert outcome.returncode == status, outcome.stdout + outcome.stderr
        assert "Traceback" not in outcome.stderr
        return outcome

    return run
