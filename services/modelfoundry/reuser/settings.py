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
    loaded_bytes: int = Field(default=1024**3, ge=0)
    """Weights of the networks that are kept in memory for predictions; the least recently used ones make room. One
    network alone may be larger."""
    predictions_at_a_time: int = Field(default=2, ge=1)
    """Batches that predictions compute at the same time; they share torch's threads."""
    batch_images: int = Field(default=64, ge=1, le=1024)
    """Most images that are computed together, of one caller or of many."""
    batch_milliseconds: float = Field(default=10.0, gt=0)
    """A batch is cut so that it takes about so long: so long a small request waits behind the piece of a large one."""
    batch_wait_milliseconds: float = Field(default=2.0, ge=0, le=1000)
    """How long a batch waits for others, after one that joined several requests. An idle server waits for nobody."""
    waiting_bytes: int = Field(default=512 * 1024**2, ge=0)
    """Pixels, a byte each, of the images that are being classified; above that, calls are refused as OVERLOADED."""

    @property
    def endpoints(self) -> Endpoints:
        """Where the services are that requests for modules need."""
        return Endpoints(registry=self.registry, decomposer=self.decomposer, evaluator=self.evaluator)
