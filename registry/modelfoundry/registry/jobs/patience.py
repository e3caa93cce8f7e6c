"""How long a call that waits may wait."""

from __future__ import annotations

from typing import Any, Final

import grpc

LONGEST_SECONDS: Final = 50.0
MARGIN_SECONDS: Final = 0.5


def patience(asked_seconds: float, context: grpc.aio.ServicerContext[Any, Any]) -> float:
    """Returns the seconds asked for, or less: an answer before the caller's deadline is better than none after it."""
    remaining = context.time_remaining()
    limit = LONGEST_SECONDS if remaining is None else remaining - MARGIN_SECONDS
    return max(0.0, min(asked_seconds, limit))
