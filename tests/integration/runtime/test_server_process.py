from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import pytest

from modelfoundry.api.types.v1.blob_pb2 import BlobRef

SCRIPT = Path(__file__).parent / "workload" / "runtime_server_process.py"
Start = Callable[..., Coroutine[Any, Any, Process]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started = []

    async def start(*wishes: str, listen: str = "127.0.0.1:0") -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), str(tmp_path / "port"), listen, *wishes, stdout=PIPE, stderr=PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def port_file(tmp_path: Path) -> Path:
    return tmp_path / "port"


async def port_of(port_file: Path) -> int:
    async with asyncio.timeout(30):
        while not port_file.exists():
            await asyncio.sleep(0.02)
    return int(port_file.read_text())


async def slow_call(channel: grpc.aio.Channel, hundredths: int) -> BlobRef:
    method = channel.unary_unary("/test.SlowService/Slow", BlobRef.SerializeToString, BlobRef.FromString)
    return await method(BlobRef(digest="d", size_bytes=hundredths), timeout=30, wait_for_ready=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_the_server(start, port_file, number) -> None:
    process = await start()
    port = await port_of(port_file)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await slow_call(channel, 0)
        in_flight = asyncio.ensure_future(slow_call(channel, 100))
        await asyncio.wait({in_flight}, timeout=0.2)
        process.send_signal(number)
        assert (await in_flight).digest == "d"
    output, log = await process.communicate()
    assert process.returncode == 0
    assert output.decode() == f"listening on {port}\n"
    assert not port_file.exists()
    events = [json.loads(line)["event"] for line in log.decode().splitlines()]
    assert events == ["ready", "listening", "call", "stopping", "call", "stopped"]


async def test_a_second_signal_ends_the_server_at_once(start, port_file) -> None:
    process = await start()
    port = await port_of(port_file)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        in_flight = asyncio.ensure_future(slow_call(channel, 1500))
        await asyncio.wait({in_flight}, timeout=0.2)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait({in_flight}, timeout=0.2)
        process.send_signal(signal.SIGTERM)
        _, log = await process.communicate()
        assert time.monotonic() - started < 10
        with pytest.raises(grpc.aio.AioRpcError):
            await in_flight
    assert process.returncode == 1
    assert b"second signal" in log


async def test_broken_background_work_stops_the_server_with_an_error(start) -> None:
    process = await start("broken")
    _, log = await process.communicate()
    assert process.returncode == 1
    assert b"the background work is broken" in log


async def test_a_taken_port_ends_the_start_with_a_message_for_people(start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await start(listen=address)
        _, log = await process.communicate()
    assert process.returncode == 1
    assert f"error: cannot listen on {address}: the port is taken" in log.decode()
    assert "hint: " in log.decode()
    assert b"Traceback" not in log
