"""What the tests start in place of `python -m` behaves like it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from warm_python import finished, started

REGISTRY = "modelfoundry.registry"


@pytest.mark.parametrize("arguments", [("--version",), ("deocmpose",)], ids=["done", "refused"])
def test_it_says_and_ends_as_a_new_interpreter_does(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "modelfoundry.cli", *arguments]
    fresh = subprocess.run(command, capture_output=True, text=True, check=False)
    warm = finished("modelfoundry.cli", *arguments)
    assert (warm.returncode, warm.stdout, warm.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_an_end_with_a_message_is_told_on_stderr(tmp_path: Path) -> None:
    settings = {"MODELFOUNDRY_HOME": str(tmp_path), "MODELFOUNDRY_REGISTRY_LISTEN": "nowhere"}
    done = finished(REGISTRY, env={**os.environ, **settings})
    assert done.returncode == 1
    assert "error: listen: 'nowhere' is not host:port" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_signal_ends_it(number: int, code: int, tmp_path: Path) -> None:
    port = tmp_path / "port"
    settings = {
        "MODELFOUNDRY_HOME": str(tmp_path),
        "MODELFOUNDRY_REGISTRY_LISTEN": "127.0.0.1:0",
        "MODELFOUNDRY_REGISTRY_PORT_FILE": str(port),
    }
    registry = started(REGISTRY, env={**os.environ, **settings})
    while not port.exists():
        assert registry.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        registry.wait(0)
    registry.send_signal(number)
    assert registry.wait(60) == code
    assert registry.poll() == code
    registry.kill()  # nothing is there any more, and nobody else is hit
