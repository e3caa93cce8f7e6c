"""What ModelFoundry servers can be told from outside: read once in `__main__`, frozen, passed on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from modelfoundry.runtime.logging import LogFormat, LogLevel
from modelfoundry.runtime.options import ServerOptions

HOME_VARIABLE = "MODELFOUNDRY_HOME"


def data_dir() -> Path:
    """The folder of everything that ModelFoundry keeps on this machine: `MODELFOUNDRY_HOME` or `~/.modelfoundry`."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() if home else Path.home() / ".modelfoundry"


class ServiceSettings(BaseSettings):
    """What every service can be told, the registry included.

    A service subclasses it, sets `env_prefix="MODELFOUNDRY_<SERVICE>_"` in its `model_config` and `listen` a port.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    listen: str = "127.0.0.1:0"
    """Address to listen on, `host:port`. Port 0 takes a free one."""
    port_file: Path | None = None
    """File into which the port is written once the server listens."""
    grace_seconds: float = Field(default=20.0, ge=0)
    """How long calls in flight may go on after SIGTERM."""
    lame_duck_seconds: float = Field(default=0.25, ge=0)
    """How long calls are still taken after health went to NOT_SERVING, for load balancers to notice."""
    unary_deadline_seconds: float = Field(default=60.0, gt=0)
    """Deadline of unary calls that come without one."""
    max_concurrent_rpcs: int = Field(default=1000, gt=0)
    """Calls at a time, streams included; more are refused with RESOURCE_EXHAUSTED."""
    log_level: LogLevel = "info"
    """Least severity that is logged."""
    log_format: LogFormat = "console"
    """`console` for people, `json` for programs: one object a line."""

    @property
    def options(self) -> ServerOptions:
        """The part of the settings that `runtime.server` needs."""
        return ServerOptions(
            grace_seconds=self.grace_seconds,
            lame_duck_seconds=self.lame_duck_seconds,
            unary_deadline_seconds=self.unary_deadline_seconds,
            max_concurrent_rpcs=self.max_concurrent_rpcs,
        )


class JobSettings(ServiceSettings):
    """Settings of a service that carries out jobs of the registry."""

    registry: str = "127.0.0.1:50054"
    """Address of the registry: a gRPC target such as `host:port` or `dns:///host:port`."""
    work_dir: Path = Field(default_factory=lambda: data_dir() / "work")
    """Folder for files that may be lost: downloads, checkpoints before their upload."""
    executor: Literal["process", "inline"] = "process"
    """Where jobs run: each in a process of its own, or in threads of the server (for tests)."""
    slots: int = Field(default=1, gt=0, le=64)
    """Jobs at a time."""
    threads_per_job: int = Field(default=0, ge=0)
    """Threads that a job computes with. 0: the cores of the machine shared out among the slots."""
    lease_seconds: float = Field(default=15.0, ge=1, le=300)
    """Time without a report after which a job counts as lost and is given to another worker."""
