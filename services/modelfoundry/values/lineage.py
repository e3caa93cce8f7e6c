"""Where resources came from, and what changes in the registry, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from modelfoundry.values.resources import ProvenanceEdge


class Direction(StrEnum):
    """Which way a graph is walked: to what a resource came from, to what came from it, or both."""

    ANCESTORS = "ancestors"
    DESCENDANTS = "descendants"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """A resource or job, in short; `missing` when it was deleted and is only known from what came from it."""

    name: str
    collection: str = ""
    display_name: str = ""
    digest: str = ""
    create_time: datetime | None = None
    labels: tuple[str, ...] = ()
    missing: bool = False
    distance: int = 0

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A part of the graph of provenance: the resource asked for comes first, then nearer ones before farther ones.

    Attributes:
        truncated: Whether there was more than nodes were allowed.
    """

    nodes: tuple[LineageNode, ...]
    edges: tuple[ProvenanceEdge, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependents:
    """What goes with a resource, in the order of deletion; `total_count` tells when there are more than are named.

    Attributes:
        aliases: What stands for the resource or one of these, and goes too.
    """

    nodes: tuple[LineageNode, ...]
    total_count: int
    aliases: tuple[str, ...] = ()


class EventKind(StrEnum):
    """What happened to a resource."""

    CREATED = "created"
    UPDATED = "updated"
    EVALUATED = "evaluated"
    ALIASED = "aliased"
    DELETED = "deleted"
    UNALIASED = "unaliased"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEvent:
    """A change of a resource. `evaluation` is set when it was evaluated, `alias` when one began or ceased to be its."""

    sequence: int
    kind: EventKind
    resource: str
    digest: str = ""
    etag: str = ""
    evaluation: str = ""
    alias: str = ""
    time: datetime | None = None


class WebhookState(StrEnum):
    """Whether a webhook is served."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events, and how far it is. `secret` is only there when it was just created."""

    name: str
    url: str
    kinds: tuple[EventKind, ...] = ()
    collections: tuple[str, ...] = ()
    secret: str = ""
    state: WebhookState = WebhookState.ACTIVE
    delivered_sequence: int = 0
    failures: int = 0
    last_error: str = ""
    next_attempt_time: datetime | None = None
    create_time: datetime | None = None

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]
