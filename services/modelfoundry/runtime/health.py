"""Standard health, kept true by asking the service now and then whether it can work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from grpc_health.v1 import health, health_pb2

Ready = Callable[[], Awaitable[None]]
"""Returns when the service can work, raises when it cannot."""

_log = structlog.get_logger(__name__)


class Readiness:
    """Sets the health of a server and all of its services.

    Args:
        servicer: The servicer that answers health checks.
        names: Services, besides "" for the whole server.
        ready: The check; None: always ready.
        seconds: Time between two checks, and the longest that one may take.
    """

    def __init__(
        self, servicer: health.aio.HealthServicer, names: Sequence[str], ready: Ready | None, seconds: float
    ) -> None:
        self._servicer = servicer
        self._names = ("", *names)
        self._ready = ready
        self._seconds = seconds
        self._last: bool | None = None

    async def set_not_serving(self) -> None:
        """Says that the server cannot work yet."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def follow(self) -> None:
        """Checks again and again, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(self._seconds)

    async def check(self) -> None:
        """Checks once and sets the health."""
        problem = await self._problem()
        is_ready = problem is None
        if is_ready is not self._last:
            self._last = is_ready
            if is_ready:
                _log.info("ready")
            else:
                _log.warning("not ready", cause=problem)
            response = health_pb2.HealthCheckResponse
            await self._set(response.SERVING if is_ready else response.NOT_SERVING)

    async def _problem(self) -> str | None:
        if self._ready is None:
            return None
        try:
            async with asyncio.timeout(self._seconds):
                await self._ready()
        except TimeoutError:
            return f"no answer within {self._seconds:g} seconds"
        except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
            return str(error) or type(error).__name__
        return None

    async def _set(self, status: int) -> None:
        for name in self._names:
            await self._servicer.set(name, status)
