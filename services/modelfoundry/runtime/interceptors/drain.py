"""Ends streams that have no end of their own when the server stops."""

from __future__ import annotations

from typing import Any, Final

from modelfoundry.runtime.interceptors.calls import CallInterceptor, Context, Method, Proceed
from modelfoundry.runtime.shutdown import ShutdownSignal

ENDLESS_PREFIX: Final = "Watch"
ENDLESS_METHODS: Final = ("ServerReflectionInfo",)


class WatchDrain(CallInterceptor):
    """Ends `Watch*` streams with UNAVAILABLE at shutdown, so that watchers go elsewhere and the drain need not wait.

    Other streams, such as downloads, may go on to their end within the grace time.

    Args:
        shutdown: Says when the server stops.
    """

    def __init__(self, shutdown: ShutdownSignal) -> None:
        self._shutdown = shutdown

    async def handle(self, method: Method, request: Any, context: Context, proceed: Proceed) -> Any:
        """Serves the call, a watch until the shutdown at most."""
        endless = method.name.startswith(ENDLESS_PREFIX) or method.name in ENDLESS_METHODS
        if not (endless and method.response_streaming):
            return await proceed(request, context)
        async with self._shutdown.ends():
            return await proceed(request, context)
