"""Long work outside the event loop: leased from the registry, run by an executor, reported by the worker itself.

The registry's queue is the truth about jobs. A `Dispatcher` leases them and hands each as a `Ticket`, plain strings and
bytes, to an `Executor`; there `worker.run_job` calls the service's handler with a `JobContext`.
"""

from __future__ import annotations

from modelfoundry.runtime.jobs.context import JobContext, JobHandler
from modelfoundry.runtime.jobs.dispatcher import Dispatcher
from modelfoundry.runtime.jobs.executor import Executor, Exit, Handle
from modelfoundry.runtime.jobs.forking import ForkingExecutor
from modelfoundry.runtime.jobs.inline import InlineExecutor
from modelfoundry.runtime.jobs.process import ProcessExecutor
from modelfoundry.runtime.jobs.ticket import Ticket

__all__ = [
    "Dispatcher",
    "Executor",
    "Exit",
    "ForkingExecutor",
    "Handle",
    "InlineExecutor",
    "JobContext",
    "JobHandler",
    "ProcessExecutor",
    "Ticket",
]
