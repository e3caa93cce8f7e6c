"""What the reuser can be told from outside."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from modelfoundry.client import Endpoints
from modelfoundry.workbench.settings import WorkerSettings


class ReuserSettings(WorkerSettings):
    """Settings of the reuser, from the environment."""

    model_config = SettingsConfigDict(env_prefix="MODELFOUNDRY_REUSER_")

    listen: str = "127.0.0.1:50053"
    """Address to listen on, `host:port`. Port 0 takes a free one."""
    decomposer: str = "127.0.0.1:50051"
    """Address of the decomposer, which makes the modules that are missing from a request."""
    evaluator: str = "127.0.0.1:50052"
    """Address of the evaluator, which measures them."""
    loaded_networks: int = Field(default=8, ge=1)
    """Networks kept in memory for predictions; the least recently used one makes room."""
    predictions_at_a_time: int = Field(default=2, ge=1)
    """Calls of Predict and ModelInfer that compute at the same time; others wait."""

    @property
    def endpoints(self) -> Endpoints:
        """Where the services are that requests for modules need."""
        return Endpoints(registry=self.registry, decomposer=self.decomposer, evaluator=self.evaluator)
