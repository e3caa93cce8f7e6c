"""Registry and reuser as processes of their own, for benchmarks of what goes over the wire."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from modelfoundry.client import Endpoints

START_SECONDS = 180


@contextmanager
def services(*names: str, settings: Mapping[str, str] | None = None) -> Iterator[Endpoints]:
    """Starts services in an empty folder, the registry first, and stops them at the end.

    Args:
        names: Which, of `registry`, `decomposer`, `evaluator` and `reuser`.
        settings: Environment variables on top of what joins them. Every service computes on one thread.
    """
    with tempfile.TemporaryDirectory(prefix="modelfoundry-benchmark-") as name:
        folder = Path(name)
        addresses: dict[str, str] = {}
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for service in names:
                process, addresses[service] = _started(service, folder, addresses, settings or {})
                processes.append(process)
            yield Endpoints(**addresses)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(60)


def _started(
    service: str, folder: Path, addresses: Mapping[str, str], settings: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], str]:
    prefix = f"MODELFOUNDRY_{service.upper()}_"
    port_file = folder / f"{service}.port"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MODELFOUNDRY_")},
        "OMP_NUM_THREADS": "1",
        "MODELFOUNDRY_HOME": str(folder),
        f"{prefix}LISTEN": "127.0.0.1:0",
        f"{prefix}PORT_FILE": str(port_file),
        f"{prefix}LAME_DUCK_SECONDS": "0",
        **{f"{prefix}{other.upper()}": address for other, address in addresses.items()},
        **settings,
    }
    with (folder / f"{service}.log").open("wb") as log:
        command = [sys.executable, "-m", f"modelfoundry.{service}"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    end = time.monotonic() + START_SECONDS
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise SystemExit(f"the {service} did not start:\n{(folder / f'{service}.log').read_text()[-4000:]}")
        time.sleep(0.05)
    return process, f"127.0.0.1:{port_file.read_text().strip()}"
