"""A real MinIO server for the tests: a temporary folder, a free loopback port, random credentials."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from urllib.parse import unquote, urlsplit

import pytest
from minio import Minio

START_SECONDS = 60
HOW_TO_GET_IT = (
    "NO MINIO SERVER: run `deploy/install-minio` (needs Go; the binary lands in $(go env GOPATH)/bin), "
    "or set MODELFOUNDRY_TEST_S3_URL=http://ACCESS_KEY:SECRET_KEY@HOST:PORT"
)


@dataclass(frozen=True)
class MinioServer:
    """Where a server listens and who may use it. `process` is None for one that somebody else started."""

    endpoint: str
    access_key: str
    secret_key: str
    process: subprocess.Popen[bytes] | None = None

    def client(self) -> Minio:
        """A client of its own, for looking at and changing what is stored."""
        parts = urlsplit(self.endpoint)
        return Minio(
            parts.netloc,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=parts.scheme == "https",
            region="us-east-1",
        )

    def remove_bucket(self, bucket: str) -> None:
        """Removes a bucket with everything in it."""
        client = self.client()
        if client.bucket_exists(bucket):
            for item in client.list_objects(bucket, recursive=True):
                client.remove_object(bucket, item.object_name or "")
            client.remove_bucket(bucket)

    def freeze(self) -> None:
        """Stops the process where it is: connections stay open and nothing answers."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends the process at once; does nothing when it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def find_binary() -> str | None:
    """The `minio` program on PATH or where `go install` puts it."""
    if found := shutil.which("minio"):
        return found
    go = shutil.which("go")
    if go is None:
        return None
    gopath = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=False).stdout.strip()
    binary = Path(gopath) / "bin" / "minio"
    return str(binary) if binary.is_file() else None


@contextmanager
def started_minio(folder: Path, *, like: MinioServer | None = None) -> Iterator[MinioServer]:
    """Starts a server of one's own and ends it; skips the test when there is no binary.

    Args:
        folder: Where its data and its log go.
        like: A server that has ended: the new one has its address and credentials.
    """
    binary = find_binary()
    if binary is None:
        pytest.skip(HOW_TO_GET_IT)
    server = like or MinioServer(f"http://127.0.0.1:{free_port()}", f"test-{token_hex(4)}", token_hex(16))
    address = urlsplit(server.endpoint).netloc
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }
    with (folder / "minio.log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "server", str(folder / "data"), "--address", address, "--quiet"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = replace(server, process=process)
    try:
        _wait_until_ready(server, process, folder / "minio.log")
        yield server
    finally:
        server.thaw()
        server.kill()


@contextmanager
def any_minio(folder: Path) -> Iterator[MinioServer]:
    """The server at `MODELFOUNDRY_TEST_S3_URL` if that is set, else one of our own."""
    url = os.environ.get("MODELFOUNDRY_TEST_S3_URL")
    if not url:
        with started_minio(folder) as server:
            yield server
        return
    parts = urlsplit(url)
    endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    yield MinioServer(endpoint, unquote(parts.username or ""), unquote(parts.password or ""))


def free_port() -> int:
    """A loopback port that nobody listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _wait_until_ready(server: MinioServer, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.endpoint}/minio/health/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"MinIO did not start within {START_SECONDS} s:\n{log.read_text(errors='replace')[-2000:]}")
