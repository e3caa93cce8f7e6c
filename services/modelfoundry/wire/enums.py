"""Enums: `DEVICE_CUDA` on the wire is `Device.CUDA` here. A value that this SDK does not know reads as unset."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

Member = TypeVar("Member", bound=StrEnum)


def enum_to_proto(wire: Any, prefix: str, member: StrEnum | None) -> Any:
    """Number of a member; 0, the unspecified one, for None."""
    return 0 if member is None else wire.Value(f"{prefix}_{member.name}")


def enum_from_proto(wire: Any, prefix: str, number: int, members: type[Member]) -> Member | None:
    """Member of a number; None for the unspecified one and for those that a newer service knows."""
    try:
        return members[wire.Name(number).removeprefix(f"{prefix}_")]
    except (KeyError, ValueError):
        return None
