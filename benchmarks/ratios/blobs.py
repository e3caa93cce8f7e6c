"""Blobs up and down through client and registry, against a bare gRPC stream of the same chunks, hashed at both ends."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from interleaved import interleaved, ratios
from pydantic import SecretStr

from modelfoundry.client import Client, Endpoints
from modelfoundry.registry.app import registry
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.runtime.server import running
from modelfoundry.runtime.shutdown import ShutdownSignal
from ratios.measurements import Effort, Report

CHUNK_BYTES = 1024 * 1024
BLOB_MIB = 32
ROUNDS = 4
STREAM = "/benchmark.Stream/"


def blobs(effort: Effort) -> Report:
    """Both ways, both ends in one process: its CPU time is that of one core which does all."""
    rounds = effort.rounds(ROUNDS)
    size = (2 if effort.tiny else BLOB_MIB) * CHUNK_BYTES
    with tempfile.TemporaryDirectory(prefix="modelfoundry-benchmark-") as name, servers(Path(name)) as (client, bare):
        folder = Path(name)
        paths = [folder / f"content-{number}" for number in range(rounds + 1)]
        for path in paths:
            path.write_bytes(os.urandom(size))
        blobs_up: list[str] = []
        up: dict[str, Callable[[], object]] = {
            "reference": over(paths, partial(bare_upload, bare)),
            "client and registry": over(paths, lambda path: blobs_up.append(client.blobs.upload(path).digest)),
        }
        found_up = ratios("upload", interleaved(up, rounds))
        targets = iter(folder / f"target-{number}" for number in range(2 * len(paths)))
        down: dict[str, Callable[[], object]] = {
            "reference": over(paths, lambda path: bare_download(bare, path, next(targets))),
            "client and registry": over(blobs_up, lambda digest: client.blobs.download(digest, next(targets))),
        }
        found_down = ratios("download", interleaved(down, rounds))
    rates = [f"{one.work} {size / CHUNK_BYTES / one.seconds:.0f} MiB/s" for one in (*found_up, *found_down)]
    notes = (
        f"A blob of {size / CHUNK_BYTES:.0f} MiB in a local folder, chunks of 1 MiB, both ends on one core: "
        f"{', '.join(rates)}. The bare stream writes no file, syncs no disk and checks no chunk.",
    )
    return Report({"blobs": (*found_up, *found_down)}, notes=notes)


def over(items: Any, act: Callable[[Any], object]) -> Callable[[], object]:
    """Does it to the next one at every call."""
    left: Iterator[Any] | None = None

    def run() -> None:
        nonlocal left
        left = iter(items) if left is None else left
        act(next(left))

    return run


def bare_upload(channel: grpc.Channel, path: Path) -> None:
    hashed = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                hashed.update(chunk)
                yield chunk

    answer = channel.stream_unary(f"{STREAM}Up")(chunks())
    assert answer == hashed.digest()


def bare_download(channel: grpc.Channel, source: Path, target: Path) -> None:
    hashed = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in channel.unary_stream(f"{STREAM}Down")(str(source).encode()):
            hashed.update(chunk)
            file.write(chunk)


class BareStream(grpc.GenericRpcHandler):
    """Takes a stream of bytes and answers with its SHA-256, or sends a file and hashes it."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if handler_call_details.method == f"{STREAM}Up":
            return grpc.stream_unary_rpc_method_handler(self._up)
        if handler_call_details.method == f"{STREAM}Down":
            return grpc.unary_stream_rpc_method_handler(self._down)
        return None

    async def _up(self, chunks: AsyncIterator[bytes], _context: Any) -> bytes:
        hashed = hashlib.sha256()
        async for chunk in chunks:
            hashed.update(chunk)
        return hashed.digest()

    async def _down(self, path: bytes, _context: Any) -> AsyncIterator[bytes]:
        hashed = hashlib.sha256()
        with Path(path.decode()).open("rb") as file:  # noqa: ASYNC230 - the plain way
            while chunk := file.read(CHUNK_BYTES):
                hashed.update(chunk)
                yield chunk


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Client, grpc.Channel]]:
    """A registry on a local folder, with a client of it, and a bare server, with a channel to it."""
    ports: list[int] = []
    started, loop, end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        settings = RegistrySettings(
            database_url=SecretStr(f"sqlite:///{folder / 'registry.db'}"),
            folder=folder / "blobs",
            spool_folder=folder / "spool",
            signing_key=None,
        )
        shutdown = ShutdownSignal()
        async with registry(settings, shutdown) as joined, running(joined.services, shutdown=shutdown) as server:
            bare = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
            bare.add_generic_rpc_handlers((BareStream(),))
            ports.extend((server.port, bare.add_insecure_port("127.0.0.1:0")))
            await bare.start()
            started.set()
            await end.wait()
            await bare.stop(None)

    os.environ["MODELFOUNDRY_HOME"] = str(folder)  # for the key that statements are signed with
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    if not started.wait(60):
        raise RuntimeError("the servers did not start")
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]
    try:
        with (
            Client(Endpoints(registry=f"127.0.0.1:{ports[0]}")) as client,
            grpc.insecure_channel(f"127.0.0.1:{ports[1]}", options=options) as channel,
        ):
            yield client, channel
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(30)
