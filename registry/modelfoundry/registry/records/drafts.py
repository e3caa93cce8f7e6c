"""What every call that stores something says, before anything about it was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CreateCall:
    """The part of a Create request that is the same for all resources."""

    parent: str
    id: str = ""
    """Last segment of the new name; empty: one is made."""
    request_id: str = ""
    fingerprint: str = ""
    """SHA-256 of method and request."""
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What people write about a resource."""

    display_name: str = ""
    description: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    intended_use: str = ""
