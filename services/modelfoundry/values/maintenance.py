"""What looking after the registry's bytes found and did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageSummary:
    """What a garbage collection removed, or would remove, and what stays. Strays are bytes that the database lacks."""

    removed_blobs: int
    removed_bytes: int
    removed_strays: int
    removed_stray_bytes: int
    kept_blobs: int
    kept_bytes: int


class FindingKind(StrEnum):
    """What can be wrong with stored bytes: they are others, they are gone, or the database does not know them."""

    CORRUPT = "corrupt"
    MISSING = "missing"
    STRAY = "stray"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFinding:
    """Something that is wrong. `digest` is empty for an object that is no blob; `resources` are at most 20."""

    kind: FindingKind
    digest: str
    key: str
    size_bytes: int
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProgress:
    """How far a check is; `complete` in the last one."""

    checked_blobs: int
    checked_bytes: int
    findings: int
    complete: bool
