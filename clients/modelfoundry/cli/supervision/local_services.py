"""The four services on one machine: modules, settings and addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelfoundry.cli.supervision.child import ServicePlan

DEFAULT_PORTS: Final[Mapping[str, int]] = {
    "registry": 50054,
    "decomposer": 50051,
    "evaluator": 50052,
    "reuser": 50053,
}
"""The registry first: the others need it."""
GRACE_SECONDS: Final = "5"
"""How long calls in flight may go on when the services are stopped; one machine's clients come back quickly."""


def plan_services(data_directory: Path, host: str, ports: Mapping[str, int]) -> list[ServicePlan]:
    """How each service is run on the embedded defaults; settings in the environment win over all but addresses."""
    logs = data_directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    addresses = {name: address(host, port) for name, port in ports.items()}
    return [
        ServicePlan(
            name=name,
            address=addresses[name],
            module=f"modelfoundry.{name}",
            environment=_environment(name, addresses, data_directory),
            log=logs / f"{name}.log",
        )
        for name in ports
    ]


def address(host: str, port: int) -> str:
    """`host:port`, with an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _environment(name: str, addresses: Mapping[str, str], data_directory: Path) -> dict[str, str]:
    prefix = f"MODELFOUNDRY_{name.upper()}_"
    environment = {
        "MODELFOUNDRY_HOME": str(data_directory),
        f"{prefix}LISTEN": addresses[name],
        "PYTHONUNBUFFERED": "1",
    }
    if name != "registry":
        environment[f"{prefix}REGISTRY"] = addresses["registry"]
    if name == "reuser":
        others = {name: addresses[name] for name in ("decomposer", "evaluator") if name in addresses}
        environment |= {f"{prefix}{name.upper()}": place for name, place in others.items()}
    grace = f"{prefix}GRACE_SECONDS"
    if grace not in os.environ:
        environment[grace] = GRACE_SECONDS
    return environment
