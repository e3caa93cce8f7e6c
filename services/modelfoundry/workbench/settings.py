"""What every service that computes can be told from outside."""

from __future__ import annotations

from pydantic import Field

from modelfoundry.client import Endpoints
from modelfoundry.runtime.settings import JobSettings
from modelfoundry.workbench.cache import BlobCache


class WorkerSettings(JobSettings):
    """Settings of a service that reads blobs of the registry."""

    cache_bytes: int = Field(default=20 * 1024**3, ge=0)
    """Size of the local blob cache above which the least recently used blobs are removed."""
    checkpoint_seconds: float = Field(default=30.0, ge=0)
    """A job saves a checkpoint at most once in this time."""

    @property
    def cache(self) -> BlobCache:
        """The local blob cache, shared by all services with the same `work_dir`."""
        return BlobCache(self.work_dir / "blobs", self.cache_bytes)

    @property
    def endpoints(self) -> Endpoints:
        """Where the registry is; most services need no other."""
        return Endpoints(registry=self.registry)
