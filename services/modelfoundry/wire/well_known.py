"""Messages of protobuf's own that Python's own classes stand for: points in time, durations, and plain data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from modelfoundry.wire.conversions import Custom

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp_to_proto(moment: datetime) -> Timestamp:
    """An aware point in time."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def timestamp_from_proto(message: Timestamp) -> datetime:
    """A point in time, in UTC."""
    return message.ToDatetime(tzinfo=UTC)


def duration_to_proto(time: timedelta) -> Duration:
    """A length of time."""
    message = Duration()
    message.FromTimedelta(time)
    return message


def struct_to_proto(content: Mapping[str, Any]) -> Struct | None:
    """The Struct of a mapping of numbers, strings, booleans, None, and lists and mappings of these; none when empty."""
    if not content:
        return None
    struct = Struct()
    struct.update(dict(content))
    return struct


def struct_from_proto(message: Struct) -> dict[str, Any]:
    """The mapping of a Struct. On the wire all numbers are doubles: whole ones come back as int."""
    return {key: _content(value) for key, value in message.fields.items()}


def _content(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_content(item) for item in value.list_value.values]
        case "struct_value":
            return struct_from_proto(value.struct_value)
        case _:
            return None


WELL_KNOWN: Final = (
    Custom(datetime, Timestamp, timestamp_to_proto, timestamp_from_proto),
    Custom(timedelta, Duration, duration_to_proto, Duration.ToTimedelta),
    Custom(Mapping, Struct, struct_to_proto, struct_from_proto),  # type: ignore[type-abstract]
)
