"""What every job handler begins with: a client, the checkpoint as a file, and a monitor."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from modelfoundry.client import AsyncClient, Client, Endpoints
from modelfoundry.names import request_id_from
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.monitor import JobMonitor
from modelfoundry.workbench.resources import AsyncResources, Known, Resource, Resources
from modelfoundry.workbench.settings import WorkerSettings

Plan = TypeVar("Plan")


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything that a job computes with."""

    client: Client
    resources: Resources
    """That the job reads, each once."""
    cache: BlobCache
    monitor: JobMonitor
    checkpoint: Path | None
    """State to go on from, where an earlier worker left one."""

    def planned(self, plan: Callable[[AsyncResources], Awaitable[Plan]]) -> Plan:
        """What a service planned when the request came, planned again; the job then knows all that this has read.

        The plan itself is not in the queue: it holds resources, which may be others by the time that the job begins.
        """

        async def run() -> Plan:
            async with AsyncClient(self.client.endpoints, parent=self.client.parent) as client:
                return await plan(AsyncResources(client, self.resources.known))

        return asyncio.run(run())


@contextmanager
def workbench(context: JobContext, settings: WorkerSettings, known: Iterable[Resource] = ()) -> Iterator[Workbench]:
    """Opens a job's access to the registry and fetches its checkpoint.

    Args:
        context: The job.
        settings: Of the service.
        known: Resources that the job's request hands on, which are not read again.
    """
    endpoints = Endpoints(registry=context.registry)
    project = context.name.partition("/operations/")[0]  # what a job makes belongs to the job's own project
    with Client(endpoints, parent=project) as client, tempfile.TemporaryDirectory(prefix="modelfoundry-job-") as folder:
        checkpoint = None
        if context.checkpoint is not None:
            context.log(f"taking up from a checkpoint, attempt {context.attempt}")
            checkpoint = client.blobs.download(context.checkpoint.digest, Path(folder) / "checkpoint.safetensors")
        monitor = JobMonitor(context, client, settings.checkpoint_seconds)
        yield Workbench(client, Resources(client, Known(known)), settings.cache, monitor, checkpoint)


def derived_request_id(operation: str, what: str) -> str:
    """A UUID4-shaped id that follows from a job and what it makes.

    A job that was taken up again after it had registered its result finds that, and registers no other.
    """
    return request_id_from(f"{operation}/{what}")
