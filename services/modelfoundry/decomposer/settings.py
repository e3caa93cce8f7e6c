"""What the decomposer can be told from outside."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from modelfoundry.workbench.settings import WorkerSettings


class DecomposerSettings(WorkerSettings):
    """Settings of the decomposer, from the environment."""

    model_config = SettingsConfigDict(env_prefix="MODELFOUNDRY_DECOMPOSER_")

    listen: str = "127.0.0.1:50051"
    """Address to listen on, `host:port`. Port 0 takes a free one."""
