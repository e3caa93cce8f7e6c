"""Where the four services listen, and how long they are waited for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from modelfoundry.errors import InvalidField, Unavailable

HOME_VARIABLE = "MODELFOUNDRY_HOME"


class Service(StrEnum):
    """The four services."""

    REGISTRY = "registry"
    DECOMPOSER = "decomposer"
    EVALUATOR = "evaluator"
    REUSER = "reuser"


def data_directory() -> Path:
    """Where ModelFoundry keeps its own files on this machine: `MODELFOUNDRY_HOME`, else `~/.modelfoundry`."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() if home else Path.home() / ".modelfoundry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses of the services, each `host:port` or any target that gRPC knows, for example `dns:///registry:50054`.

    An empty address is one that nothing names: `address` refuses it, with `unnamed`.
    """

    decomposer: str = "127.0.0.1:50051"
    evaluator: str = "127.0.0.1:50052"
    reuser: str = "127.0.0.1:50053"
    registry: str = "127.0.0.1:50054"
    unnamed: str = ""
    """Why services have no address."""

    def address(self, service: Service) -> str:
        """Address of one service.

        Raises:
            Unavailable: nothing names it.
        """
        address = str(getattr(self, service.value))
        if not address:
            raise Unavailable(
                f"nothing says where the {service.value} listens: {self.unnamed}",
                hint=f"start `modelfoundry up`, or set MODELFOUNDRY_{service.name} to its address",
                metadata={"service": service.value},
            )
        return address

    @classmethod
    def resolve(
        cls,
        *,
        registry: str | None = None,
        decomposer: str | None = None,
        evaluator: str | None = None,
        reuser: str | None = None,
    ) -> Endpoints:
        """For each service the first of: the argument, `MODELFOUNDRY_<SERVICE>`, `endpoints.json`.

        `endpoints.json` lies in the data directory and is written by `modelfoundry up`. The default ports are taken
        only where `MODELFOUNDRY_HOME` is not set and the user's own data directory has no such file: whoever names a
        place must never reach somebody else's services.

        Raises:
            InvalidField: `endpoints.json` is no JSON object of strings.
            Unavailable: nothing names any service.
        """
        given = {"registry": registry, "decomposer": decomposer, "evaluator": evaluator, "reuser": reuser}
        explicit = {
            service.value: given[service.value] or os.environ.get(f"MODELFOUNDRY_{service.name}") or ""
            for service in Service
        }
        path = data_directory() / "endpoints.json"
        written = _written_endpoints(path)
        if written is None and not os.environ.get(HOME_VARIABLE):
            return cls(**{name: address for name, address in explicit.items() if address})
        unnamed = f"{path} is not there" if written is None else f"{path} does not name it"
        found = {name: address or (written or {}).get(name, "") for name, address in explicit.items()}
        if not any(found.values()):
            raise Unavailable(
                f"nothing says where the services listen: {HOME_VARIABLE} is {data_directory()}, and {unnamed}"
                if written is None
                else f"nothing says where the services listen: {path} names none",
                hint="start `modelfoundry up` with the same MODELFOUNDRY_HOME; or set MODELFOUNDRY_REGISTRY, "
                "MODELFOUNDRY_DECOMPOSER, MODELFOUNDRY_EVALUATOR and MODELFOUNDRY_REUSER to their addresses; or unset "
                "MODELFOUNDRY_HOME",
            )
        return cls(**found, unnamed="" if all(found.values()) else unnamed)


def _written_endpoints(path: Path) -> dict[str, str] | None:
    """What `modelfoundry up` wrote, or None where it has not."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
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
