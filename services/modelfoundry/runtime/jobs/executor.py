"""The port between the dispatcher and whatever runs jobs: threads, processes, later a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from modelfoundry.runtime.jobs.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker came to its end."""

    cause: str
    """What became of it, for example `killed by signal 9`; empty when it told the queue itself how its job ended."""


class Handle(Protocol):
    """A worker that runs."""

    async def wait(self) -> Exit:
        """Returns when the worker is gone. May be awaited more than once."""
        ...

    def terminate(self) -> None:
        """Asks the worker to stop at once, its job untold."""
        ...

    def kill(self) -> None:
        """Stops the worker, whatever it does."""
        ...


class Executor(Protocol):
    """Starts workers. A worker carries out its ticket with `worker.run_job`."""

    async def ready(self) -> None:
        """Returns when a worker can be started without delay. No job is leased before.

        Raises:
            OSError: no worker can be started now.
        """
        ...

    async def submit(self, ticket: Ticket) -> Handle:
        """Starts a worker for one job."""
        ...

    async def close(self) -> None:
        """Ends what the executor needs between jobs."""
        ...
