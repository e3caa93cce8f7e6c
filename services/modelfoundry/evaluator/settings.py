"""What the evaluator can be told from outside."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from modelfoundry.workbench.settings import WorkerSettings


class EvaluatorSettings(WorkerSettings):
    """Settings of the evaluator, from the environment."""

    model_config = SettingsConfigDict(env_prefix="MODELFOUNDRY_EVALUATOR_")

    listen: str = "127.0.0.1:50052"
    """Address to listen on, `host:port`. Port 0 takes a free one."""
