"""A server in a process of its own, for the tests of signals; arguments: port file, address, wishes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc

from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.runtime.logging import configure_logging
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import Service, run, serve


async def slow(request: BlobRef, context: object) -> BlobRef:
    """Takes as many hundredths of a second as its size says."""
    await asyncio.sleep(request.size_bytes / 100)
    return request


async def broken() -> None:
    raise RuntimeError("the background work is broken")


def register(server: grpc.aio.Server) -> None:
    handlers = {"Slow": grpc.unary_unary_rpc_method_handler(slow, BlobRef.FromString, BlobRef.SerializeToString)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.SlowService", handlers),))


def main(port_file: str, listen: str, *wishes: str) -> None:
    configure_logging(format="json")
    run(
        serve(
            [Service("test.SlowService", register)],
            listen=listen,
            port_file=Path(port_file),
            on_listening=lambda port: sys.stdout.write(f"listening on {port}\n"),
            background=[broken] if "broken" in wishes else [],
            options=ServerOptions(lame_duck_seconds=0.05, grace_seconds=20),
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
