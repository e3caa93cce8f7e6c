"""Waits for a service by the standard gRPC health protocol."""

from __future__ import annotations

import asyncio
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


async def serving(address: str) -> None:
    """Returns as soon as the server at `address` says SERVING for itself as a whole; waits as long as it takes."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        while not await _is_serving(channel):  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(PAUSE_SECONDS)


async def _is_serving(channel: grpc.aio.Channel) -> bool:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    try:
        answer = await check(HealthCheckRequest(), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return answer.status == HealthCheckResponse.SERVING
