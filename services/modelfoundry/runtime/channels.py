"""Opens channels from a service to the registry: keepalive, quick reconnection, retries where repeating is safe."""

from __future__ import annotations

import ipaddress
import json
from typing import Final

import grpc

# Reads and calls that do the same when repeated. Leasing is not among them: its caller asks again anyway.
REPEATABLE_METHODS: Final[dict[str, tuple[str, ...]]] = {
    "google.longrunning.Operations": ("GetOperation", "ListOperations", "CancelOperation"),
    "modelfoundry.api.operations.v1.OperationEventsService": ("ListOperationEvents",),
    "modelfoundry.api.operations.v1.JobQueueService": ("SaveCheckpoint",),
    "grpc.health.v1.Health": ("Check",),
}


def open_channel(target: str) -> grpc.aio.Channel:
    """A channel for asyncio. Belongs to the running event loop; close it when done."""
    return grpc.aio.insecure_channel(target, options=_options(target))


def open_blocking_channel(target: str) -> grpc.Channel:
    """A channel for threads; close it when done."""
    return grpc.insecure_channel(target, options=_options(target))


def _options(target: str) -> list[tuple[str, str | int]]:
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", _service_config()),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A registry that was restarted is found again within a second.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # Each channel its own connection: a worker must not wait behind the downloads of its job.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if _is_loopback(target):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy of the environment cannot reach our loopback
    return options


def _service_config() -> str:
    names = [
        {"service": service, "method": method} for service, methods in REPEATABLE_METHODS.items() for method in methods
    ]
    retry_policy = {
        "maxAttempts": 4,
        # In all longer than the longest reconnect backoff: a registry that listens again is found.
        "initialBackoff": "0.3s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": retry_policy}],
            "retryThrottling": {"maxTokens": 50, "tokenRatio": 0.5},
            "loadBalancingConfig": [{"round_robin": {}}],
        }
    )


def _is_loopback(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
