"""Results for programs: JSON with the field names of the contracts, on stdout."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from modelfoundry.errors import ModelFoundryError


def as_plain(value: object) -> Any:  # noqa: C901, PLR0911 - a return for every kind of value
    """`value` in JSON's own types.

    Data classes become objects with their fields, and `doubts` where they have such; points of time ISO 8601, spans
    of time seconds, errors their reason, message, field, hint and violations. NaN and infinity are null.

    Raises:
        TypeError: a type that has no agreed form.
    """
    match value:
        case StrEnum():
            return value.value
        case float():
            return value if math.isfinite(value) else None  # of an older record: JSON has no NaN
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Path():
            return str(value)
        case ModelFoundryError():
            return _error(value)
        case Mapping():
            return {str(key): as_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [as_plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            fields = {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return {**fields, "doubts": as_plain(value.doubts)} if hasattr(value, "doubts") else fields
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")


def print_json(value: object) -> None:
    """Prints one JSON document on stdout."""
    _print(json.dumps(as_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_json_line(value: object) -> None:
    """Prints one JSON document on one line and sends it off at once: for streams."""
    _print(json.dumps(as_plain(value), ensure_ascii=False, allow_nan=False))


def _error(error: ModelFoundryError) -> dict[str, Any]:
    return {
        "reason": error.reason,
        "message": error.message,
        "field": error.field,
        "hint": error.hint,
        "violations": [as_plain(violation) for violation in error.violations],
    }


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
