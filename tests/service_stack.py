"""The four services as real processes on free ports, for tests that kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from minio_server import MinioServer, free_port
from warm_python import WarmProcess, started

from modelfoundry.client import Endpoints

NAMES = ("registry", "decomposer", "evaluator", "reuser")
START_SECONDS = 120
INLINE = {f"MODELFOUNDRY_{name.upper()}_EXECUTOR": "inline" for name in NAMES[1:]}
"""Jobs in threads of the services, which saves each a process that imports what jobs need. Processes of jobs have their
tests in `services`, `runtime` and `faults`."""


@dataclass
class ServiceStack:
    """Services, each a process that can be killed and started again on the same port and folder."""

    folder: Path
    settings: Mapping[str, str]
    """Environment variables on top of those that every test has."""
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in NAMES})
    processes: dict[str, WarmProcess] = field(default_factory=dict)

    @property
    def endpoints(self) -> Endpoints:
        """Where they listen."""
        return Endpoints(**{name: f"127.0.0.1:{port}" for name, port in self.ports.items()})

    def start(self, name: str) -> None:
        """Starts a service; `wait_healthy` waits for it."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELFOUNDRY_")}
        prefix = f"MODELFOUNDRY_{name.upper()}_"
        others = {f"{prefix}{other.upper()}": f"127.0.0.1:{port}" for other, port in self.ports.items()}
        own = {
            **others,
            "MODELFOUNDRY_HOME": str(self.folder),
            f"{prefix}LISTEN": f"127.0.0.1:{self.ports[name]}",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = {**inherited, **own, **self.settings}
            output = log.fileno()
            self.processes[name] = started(f"modelfoundry.{name}", env=environment, stdout=output, stderr=output)

    def wait_healthy(self, name: str) -> None:
        """Returns when the service says that it is serving."""
        address = f"127.0.0.1:{self.ports[name]}"
        end = time.monotonic() + START_SECONDS
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < end:
                if self.processes[name].poll() is not None:
                    break
                try:
                    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2, wait_for_ready=True)
                except grpc.RpcError:
                    continue
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                time.sleep(0.05)
        raise AssertionError(f"{name} did not become healthy:\n{self.log(name)[-4000:]}")

    def kill(self, name: str) -> None:
        """SIGKILL: no chance to tidy up."""
        self.processes[name].kill()
        self.processes[name].wait()

    def worker(self, name: str) -> psutil.Process:
        """The process that carries a job out now."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            for fork_server in psutil.Process(self.processes[name].pid).children():
                for child in fork_server.children():
                    if child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
                        return child
            time.sleep(0.05)
        raise AssertionError(f"{name} has no worker")

    def log(self, name: str) -> str:
        """What a service wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM to all, in the order in which they depend on each other."""
        for name in reversed(NAMES):
            process = self.processes.get(name)
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running_stack(
    folder: Path, settings: Mapping[str, str] | None = None, *, names: tuple[str, ...] = NAMES
) -> Iterator[ServiceStack]:
    """Starts services and stops them at the end."""
    stack = ServiceStack(folder, settings or {})
    try:
        for name in names:
            stack.start(name)
        for name in names:
            stack.wait_healthy(name)
        yield stack
    finally:
        stack.stop()


def minio_settings(server: MinioServer, bucket: str) -> dict[str, str]:
    """Settings of a registry that keeps its blobs in MinIO."""
    return {
        "MODELFOUNDRY_REGISTRY_BLOB_STORE": "minio",
        "MODELFOUNDRY_REGISTRY_MINIO_ENDPOINT": server.endpoint,
        "MODELFOUNDRY_REGISTRY_MINIO_ACCESS_KEY": server.access_key,
        "MODELFOUNDRY_REGISTRY_MINIO_SECRET_KEY": server.secret_key,
        "MODELFOUNDRY_REGISTRY_MINIO_BUCKET": bucket,
    }
