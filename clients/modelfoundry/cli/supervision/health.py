"""Whether a service answers, by the standard gRPC health protocol."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

PAUSE_SECONDS: Final = 0.1
CALL_SECONDS: Final = 2.0
CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),  # the services are on this machine
)


class Health(StrEnum):
    """What a service says, or that it says nothing."""

    SERVING = "serving"
    NOT_SERVING = "not serving"
    UNREACHABLE = "unreachable"


async def health(address: str, service: str = "") -> Health:
    """Asks once.

    Args:
        address: `host:port`.
        service: Full name of a gRPC service, or empty for the server as a whole.
    """
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        return await _asked(channel, service)


async def serving(address: str) -> None:
    """Returns as soon as the server at `address` says SERVING for itself as a whole; waits as long as it takes."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        while await _asked(channel, "") is not Health.SERVING:  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(PAUSE_SECONDS)


async def _asked(channel: grpc.aio.Channel, service: str) -> Health:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    try:
        answer = await check(HealthCheckRequest(service=service), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        answered = error.code() is grpc.StatusCode.NOT_FOUND  # the server is there and lacks the service
        return Health.NOT_SERVING if answered else Health.UNREACHABLE
    return Health.SERVING if answer.status == HealthCheckResponse.SERVING else Health.NOT_SERVING
