"""A registry that refuses everything, as a program: prints its port and runs until it is stopped."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from modelfoundry import errors
from modelfoundry.api.registry.v1 import registry_service_pb2_grpc
from modelfoundry.runtime.logging import configure_logging
from modelfoundry.runtime.server import Service, serve

REGISTRY = "modelfoundry.api.registry.v1.RegistryService"


class RefusingRegistry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Raises the error whose reason the asked-for model is named by."""

    async def GetModel(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the method in the contract
        reason = request.name.rpartition("/")[2].upper().replace("-", "_")
        raise errors.ERROR_BY_REASON[reason](
            f"refused because of {reason}",
            field="name",
            hint="do something else",
            violations=(errors.FieldViolation("name", "is not liked"),) if reason == "WEIGHTS_MISMATCH" else (),
        )

    async def ListModels(self, request: Any, context: Any) -> Any:  # noqa: N802 - see above
        raise ZeroDivisionError("a secret of the server")


def register(server: Any) -> None:
    registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(RefusingRegistry(), server)


def announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    configure_logging("error")
    asyncio.run(serve([Service(REGISTRY, register)], listen="127.0.0.1:0", on_listening=announce))
