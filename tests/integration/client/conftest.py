"""A real registry in a process of its own, which can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from warm_python import WarmProcess, started

from modelfoundry.client import Client, Endpoints


class RegistryProcess:
    """`python -m modelfoundry.registry` on one port with one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._process: WarmProcess | None = None

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(registry=self.address)

    def start(self) -> None:
        environment = {
            **os.environ,
            "MODELFOUNDRY_HOME": str(self._folder),
            "MODELFOUNDRY_REGISTRY_LISTEN": self.address,
            "MODELFOUNDRY_REGISTRY_LOG_LEVEL": "warning",
        }
        with (self._folder / "registry.log").open("ab") as log:
            output = log.fileno()
            self._process = started("modelfoundry.registry", env=environment, stdout=output, stderr=output)
        with grpc.insecure_channel(self.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=60)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    process = RegistryProcess(tmp_path_factory.mktemp("registry"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def client(registry: RegistryProcess) -> Iterator[Client]:
    with Client(registry.endpoints) as connected:
        yield connected
