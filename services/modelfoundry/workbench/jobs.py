"""What every job handler begins with: a client, the checkpoint as a file, and a monitor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelfoundry.client import Client, Endpoints
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.monitor import JobMonitor
from modelfoundry.workbench.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything that a job computes with."""

    client: Client
    cache: BlobCache
    monitor: JobMonitor
    checkpoint: Path | None
    """State to go on from, where an earlier worker left one."""


@contextmanager
def workbench(context: JobContext, settings: WorkerSettings) -> Iterator[Workbench]:
    """Opens a job's access to the registry and fetches its checkpoint."""
    endpoints = Endpoints(registry=context.registry)
    project = context.name.partition("/operations/")[0]  # what a job makes belongs to the job's own project
    with Client(endpoints, parent=project) as client, tempfile.TemporaryDirectory(prefix="modelfoundry-job-") as folder:
        checkpoint = None
        if context.checkpoint is not None:
            context.log(f"taking up from a checkpoint, attempt {context.attempt}")
            checkpoint = client.blobs.download(context.checkpoint.digest, Path(folder) / "checkpoint.safetensors")
        yield Workbench(client, settings.cache, JobMonitor(context, client, settings.checkpoint_seconds), checkpoint)
