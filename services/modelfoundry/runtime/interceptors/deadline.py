"""Lets no unary call run for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from modelfoundry import errors
from modelfoundry.runtime.interceptors.calls import CallInterceptor, Context, Method, Proceed


class UnaryDeadline(CallInterceptor):
    """Gives unary calls that come without a deadline one. Streams may run as long as they like.

    The deadline of a caller needs nothing from us: gRPC cancels the handler when it has passed.

    Args:
        seconds: The deadline of calls that bring none.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def handle(self, method: Method, request: Any, context: Context, proceed: Proceed) -> Any:
        """Serves the call, for as long as it may take."""
        if not method.is_unary or context.time_remaining() is not None:
            return await proceed(request, context)
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await proceed(request, context)
        except TimeoutError:
            if not limit.expired():
                raise
            raise errors.DeadlineExceeded(
                f"{method.name} took longer than {self._seconds:g} seconds, the limit of calls without a deadline",
                hint="set a longer deadline on the call",
            ) from None
