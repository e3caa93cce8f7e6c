"""Aliases and versions of families of resources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name that is moved: `projects/{project}/{collection}/{family}@{alias}`. `version` is the target's number."""

    name: str
    target: str
    version: int
    update_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """A move of an alias; an empty target stands for its making or its removal."""

    alias: str
    previous_target: str
    target: str
    move_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A member of a family: `projects/{project}/{collection}/{family}@{version}`."""

    name: str
    resource: str
    version: int
    create_time: datetime | None = None
