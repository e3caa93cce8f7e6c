"""Plain data as a Struct and back: numbers, strings, booleans, None, and lists and mappings of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value


def struct_to_proto(content: Mapping[str, Any]) -> Struct | None:
    """The Struct of a mapping; none of an empty one."""
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
