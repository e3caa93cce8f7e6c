"""How channels between clients, services and the registry are set up: repeated calls, keepalive, reconnection."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

KEEPALIVE_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 10_000

# Whoever follows a stream opens it again where it broke off, which a channel cannot.
FOLLOWED_STREAMS: Final = frozenset({"ReadBlob", "WatchEvents", "WatchOperation"})
# Contracts of others say no level. Cancelling twice does what cancelling once does.
OTHERS_REPEATABLE: Final = {
    "google.longrunning.Operations": ("GetOperation", "ListOperations", "CancelOperation"),
    "grpc.health.v1.Health": ("Check",),
}


def channel_options(address: str, contracts: tuple[FileDescriptor, ...]) -> list[tuple[str, str | int]]:
    """Options of a channel.

    Args:
        address: What it leads to.
        contracts: Files of the services that are called over it, besides Operations and Health.
    """
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", service_config(contracts)),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        # A service that was restarted is found again within a second.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]
    if _is_loopback(address):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy of the environment cannot reach this machine's loopback
    return options


@lru_cache
def service_config(contracts: tuple[FileDescriptor, ...]) -> str:
    """Service config as JSON: UNAVAILABLE is retried where repeating is safe, and less when nothing succeeds."""
    retry_policy = {
        "maxAttempts": 4,
        # In all longer than the longest reconnect backoff: a service that listens again is found.
        "initialBackoff": "0.3s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [
        {"service": service, "method": method}
        for service, methods in repeatable_methods(contracts).items()
        for method in methods
    ]
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": retry_policy}],
            "retryThrottling": {"maxTokens": 50, "tokenRatio": 0.5},
            "loadBalancingConfig": [{"round_robin": {}}],
        },
        allow_nan=False,
    )


def repeatable_methods(contracts: Iterable[FileDescriptor]) -> dict[str, tuple[str, ...]]:
    """Methods that a channel may call again, by the full names of their services.

    The contract says which: they have no effect (`NO_SIDE_EFFECTS`), or twice the same as once (`IDEMPOTENT`), be it
    that the client gives them a `request_id`.
    """
    ours = {
        service.full_name: tuple(method.name for method in service.methods if _is_repeatable(method))
        for contract in contracts
        for service in contract.services_by_name.values()
    }
    return ours | OTHERS_REPEATABLE


def _is_repeatable(method: MethodDescriptor) -> bool:
    options: MethodOptions = method.GetOptions()
    return options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN and method.name not in FOLLOWED_STREAMS


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
