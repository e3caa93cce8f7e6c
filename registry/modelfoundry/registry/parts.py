"""What the registry is joined from: rooms with a door each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor

from modelfoundry.registry.threads import Threads
from modelfoundry.runtime.server import Background, Service

Servicer = TypeVar("Servicer")


class Part(ABC):
    """What a room serves, and does beside that, in threads of its own: a slow one keeps no other waiting.

    Args:
        name: Of its threads.
        threads: How many.
    """

    def __init__(self, name: str, threads: int = 8) -> None:
        self.threads = Threads(name, threads)

    @abstractmethod
    def services(self) -> Sequence[Service]:
        """What a server has to serve."""

    def background(self) -> Sequence[Background]:
        """What runs beside the calls until it is cancelled."""
        return ()

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self.threads.close()


def service_of(
    contract: FileDescriptor, add: Callable[[Servicer, grpc.aio.Server], Any], servicer: Servicer
) -> Service:
    """The one service of a contract, as a servicer implements it.

    Args:
        contract: The file of the contract.
        add: The generated function that adds a servicer to a server.
        servicer: The implementation.
    """
    (service,) = contract.services_by_name.values()
    return Service(service.full_name, lambda server: add(servicer, server))
