"""Opens channels from a service to the registry's queue of jobs."""

from __future__ import annotations

from typing import Final

import grpc

from modelfoundry.api.operations.v1 import job_queue_service_pb2, operation_events_service_pb2
from modelfoundry.wire.channels import channel_options

CONTRACTS: Final = (job_queue_service_pb2.DESCRIPTOR, operation_events_service_pb2.DESCRIPTOR)


def open_channel(target: str) -> grpc.aio.Channel:
    """A channel for asyncio. Belongs to the running event loop; close it when done."""
    return grpc.aio.insecure_channel(target, options=_options(target))


def open_blocking_channel(target: str) -> grpc.Channel:
    """A channel for threads; close it when done."""
    return grpc.insecure_channel(target, options=_options(target))


def _options(target: str) -> list[tuple[str, str | int]]:
    # Each channel its own connection: a worker must not wait behind the downloads of its job.
    return [*channel_options(target, CONTRACTS), ("grpc.use_local_subchannel_pool", 1)]
