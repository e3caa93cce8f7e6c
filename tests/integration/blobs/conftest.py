from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import blob_service
import grpc
import pytest
from blob_backends import BlobBackend
from blob_service import BlobClient, build_service

from modelfoundry.registry.blobs.store import BlobStore
from modelfoundry.runtime.server import running


@asynccontextmanager
async def serving(work: Path, store: BlobStore) -> AsyncIterator[BlobClient]:
    """A BlobService on a real socket, its database and spool in `work`, and a client of it."""
    async with (
        build_service(work, store) as service,
        running([service]) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield BlobClient(channel)


@pytest.fixture
async def client(blob_backend: BlobBackend, tmp_path: Path) -> AsyncIterator[BlobClient]:
    async with serving(tmp_path / "work", blob_backend.store) as client:
        yield client


@dataclass(frozen=True)
class Server:
    """A BlobService in a process of its own."""

    client: BlobClient
    process: asyncio.subprocess.Process

    def peak_bytes(self) -> int:
        """The most memory that the process ever had."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    async def kill(self) -> None:
        """Ends the process at once, as `kill -9` does."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def server_process(backend: BlobBackend, folder: Path) -> AsyncIterator[Server]:
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, blob_service.__file__, str(folder / "work"), str(port_file), *backend.arguments]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        port = await _port(process, port_file, folder / "log")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Server(BlobClient(channel, timeout=240), process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _port(process: asyncio.subprocess.Process, port_file: Path, log: Path) -> str:
    async with asyncio.timeout(60):
        while not port_file.exists():
            assert process.returncode is None, f"the server did not start:\n{log.read_text()[-2000:]}"
            await asyncio.sleep(0.05)
    return port_file.read_text().strip()
