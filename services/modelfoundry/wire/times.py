"""Points in time and durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def time_from_proto(message: Message, field: str) -> datetime | None:
    """A timestamp field as an aware datetime in UTC; None when it is unset."""
    if not message.HasField(field):
        return None
    value: Timestamp = getattr(message, field)
    return value.ToDatetime(tzinfo=UTC)


def duration_from_proto(message: Message, field: str) -> timedelta | None:
    """A duration field; None when it is unset."""
    if not message.HasField(field):
        return None
    value: Duration = getattr(message, field)
    return value.ToTimedelta()
