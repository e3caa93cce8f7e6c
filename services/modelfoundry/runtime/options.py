"""The figures that a server is built with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Limits and times of a server; the defaults suit every service."""

    grace_seconds: float = 20.0
    """How long calls in flight may go on after the server was asked to stop."""
    lame_duck_seconds: float = 0.25
    """How long calls are still taken after health went to NOT_SERVING."""
    unary_deadline_seconds: float = 60.0
    """Deadline of unary calls that come without one."""
    max_concurrent_rpcs: int = 1000
    """Calls at a time, streams included."""
    message_limit_bytes: int = 4 * MIB
    """Largest request message."""
    readiness_seconds: float = 2.0
    """Time between two readiness checks, and the longest that one may take."""

    @property
    def channel_arguments(self) -> list[tuple[str, Any]]:
        """The same for gRPC core."""
        return [
            # A port that another server has must be an error, not a coin toss between the two.
            ("grpc.so_reuseport", 0),
            # Core refuses a message with figures only. Up to four times the limit it is let through to the interceptor
            # that says which field is too long and what to do; beyond, core protects the server's memory.
            ("grpc.max_receive_message_length", 4 * self.message_limit_bytes),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
