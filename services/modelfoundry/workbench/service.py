"""Runs a service that computes: its own servicers, the jobs it starts, and the workers that carry them out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelfoundry.errors import Unavailable
from modelfoundry.runtime.channels import open_channel
from modelfoundry.runtime.health import Ready
from modelfoundry.runtime.jobs import Dispatcher, Executor, ForkingExecutor, InlineExecutor, ProcessExecutor
from modelfoundry.runtime.jobs.process import threads_per_slot
from modelfoundry.runtime.logging import configure_logging
from modelfoundry.runtime.operations import operation_services
from modelfoundry.runtime.server import Service, serve
from modelfoundry.workbench.settings import WorkerSettings

WAITING_SLOTS: Final = 8
"""Jobs at a time that only wait for others."""


async def serve_worker(
    name: str,
    settings: WorkerSettings,
    services: Sequence[Service],
    handlers: Mapping[str, str],
    waiting_handlers: Mapping[str, str] | None = None,
) -> None:
    """Runs until SIGTERM or SIGINT, then drains.

    Args:
        name: Name of the service in logs.
        settings: From the environment.
        services: The service's own servicers.
        handlers: Import path of the handler of each kind of job.
        waiting_handlers: The same for kinds that only wait for other jobs. They run in threads of the server, beside
            the slots of the others: in the same slots, jobs that wait would leave none for those that they wait for.
    """
    configure_logging(settings.log_level, settings.log_format)
    async with open_channel(settings.registry) as registry:

        def dispatcher(handlers: Mapping[str, str], executor: Executor, slots: int) -> Dispatcher:
            return Dispatcher(
                settings.registry, handlers, executor, slots=slots, lease_seconds=settings.lease_seconds, service=name
            )

        dispatchers = [dispatcher(handlers, build_executor(settings, handlers), settings.slots)]
        if waiting_handlers:
            dispatchers.append(dispatcher(waiting_handlers, InlineExecutor(), WAITING_SLOTS))
        await serve(
            [*services, *operation_services(registry)],
            listen=settings.listen,
            ready=registry_check(registry, settings.registry),
            background=[each.run for each in dispatchers],
            port_file=settings.port_file,
            options=settings.options,
        )


def registry_check(registry: grpc.aio.Channel, address: str) -> Ready:
    """A check that raises `Unavailable` when the registry is not ready, and gRPC's error when it does not answer.

    Args:
        registry: An open channel.
        address: Where it leads, for the message.
    """
    health = health_pb2_grpc.HealthStub(registry)

    async def check() -> None:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=2.0)  # type: ignore[attr-defined]  # not in the stubs
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise Unavailable(f"the registry at {address} is not ready")

    return check


def build_executor(settings: WorkerSettings, handlers: Mapping[str, str]) -> Executor:
    """Where jobs of these handlers run, as the settings say."""
    if settings.executor == "inline":
        return InlineExecutor()
    # Slots share the cores: with all threads in each job, torch's would wait for each other more than they compute.
    threads = settings.threads_per_job or threads_per_slot(settings.slots)
    if sys.platform == "linux":
        modules = sorted({path.partition(":")[0] for path in handlers.values()})
        return ForkingExecutor(threads, modules, log_level=settings.log_level, log_format=settings.log_format)
    return ProcessExecutor(threads, log_level=settings.log_level, log_format=settings.log_format)
