"""Where the four services listen, and how long they are waited for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from modelfoundry.errors import InvalidField


class Service(StrEnum):
    """The four services."""

    REGISTRY = "registry"
    DECOMPOSER = "decomposer"
    EVALUATOR = "evaluator"
    REUSER = "reuser"


def data_directory() -> Path:
    """Where ModelFoundry keeps its own files on this machine: `MODELFOUNDRY_HOME`, else `~/.modelfoundry`."""
    home = os.environ.get("MODELFOUNDRY_HOME")
    return Path(home).expanduser() if home else Path.home() / ".modelfoundry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses of the services, each `host:port` or any target that gRPC knows, for example `dns:///registry:50054`."""

    decomposer: str = "127.0.0.1:50051"
    evaluator: str = "127.0.0.1:50052"
    reuser: str = "127.0.0.1:50053"
    registry: str = "127.0.0.1:50054"

    def address(self, service: Service) -> str:
        """Address of one service."""
        return str(getattr(self, service.value))

    @classmethod
    def resolve(
        cls,
        *,
        registry: str | None = None,
        decomposer: str | None = None,
        evaluator: str | None = None,
        reuser: str | None = None,
    ) -> Endpoints:
        """For each service the first of: the argument, `MODELFOUNDRY_<SERVICE>`, `endpoints.json`, the default port.

        `endpoints.json` lies in the data directory and is written by `modelfoundry up`.

        Raises:
            InvalidField: `endpoints.json` is no JSON object of strings.
        """
        given = {"registry": registry, "decomposer": decomposer, "evaluator": evaluator, "reuser": reuser}
        written = _written_endpoints(data_directory() / "endpoints.json")
        found = {
            field.name: given[field.name]
            or os.environ.get(f"MODELFOUNDRY_{field.name.upper()}")
            or written.get(field.name)
            for field in fields(cls)
        }
        return cls(**{name: address for name, address in found.items() if address})


def _written_endpoints(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InvalidField(
            f"{path} is not a JSON object of addresses", field="endpoints", hint="run `modelfoundry up` again"
        )
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines in seconds.

    Args:
        unary: Of calls that read or change one thing.
        lists: Of one page of a list.
        check: Of calls that look into weights or start a job.
        predict: Of one batch of predictions.
        transfer: Of one stream of bytes; a transfer that takes longer goes on in another stream.
        watch: Of one stream of events; watching goes on in another stream.
    """

    unary: float = 10.0
    lists: float = 30.0
    check: float = 60.0
    predict: float = 120.0
    transfer: float = 600.0
    watch: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often broken streams are opened again.

    Args:
        without_progress: Attempts in a row that brought nothing before the error is raised.
        initial_backoff: Seconds before the second attempt; doubled with every further one.
        max_backoff: Seconds between attempts at most.
    """

    without_progress: int = 10
    initial_backoff: float = 0.1
    max_backoff: float = 5.0

    def backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, 1 or more."""
        return min(self.max_backoff, self.initial_backoff * 2.0 ** (failures - 1))
