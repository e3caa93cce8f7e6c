"""Ports to listen on: fixed ones that must be free, or any free ones."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Mapping
from typing import Final

from modelfoundry.errors import InUse, InvalidField

CANDIDATES: Final = range(20_000, 32_768)
"""Below the range from which systems give ports to outgoing connections: what is free now stays free."""


def free_ports(host: str, number: int) -> list[int]:
    """So many different ports that nobody listens on now.

    Raises:
        InvalidField: `host` is no address of this machine.
        InUse: there are not so many.
    """
    candidates = iter(random.SystemRandom().sample(CANDIDATES, k=200))
    found = [port for port in candidates if _is_free(host, port)][:number]
    if len(found) < number:
        raise InUse(f"no {number} free ports on {host}", field="--ports", hint="stop programs that listen there")
    return found


def check_ports(host: str, port_by_service: Mapping[str, int]) -> None:
    """Makes sure that nobody listens on any of the ports. gRPC servers would silently share a port.

    Raises:
        InUse: some are taken; all of them are named.
        InvalidField: `host` is no address of this machine.
    """
    taken = [f"{port} ({service})" for service, port in port_by_service.items() if not _is_free(host, port)]
    if taken:
        raise InUse(
            f"port{'s' if len(taken) > 1 else ''} {', '.join(taken)} on {host}: another program listens there",
            field="--ports",
            hint="stop that program, or pass --ports free",
        )


def _is_free(host: str, port: int) -> bool:
    try:
        _bound(host, port).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was closed just now is free
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise
        raise InvalidField(
            f"cannot listen on {host}: {error.strerror or error}",
            field="--listen-host",
            hint="pass an address of this machine, for example 127.0.0.1",
        ) from error
    return bound
