"""The values of the job queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from modelfoundry.names import ResourceName
from modelfoundry.values.resources import BlobRef
from modelfoundry.values.results import JobState

Clock = Callable[[], datetime]


HELD: Final = (JobState.RUNNING, JobState.CANCELLING)
DONE: Final = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class EventType(StrEnum):
    """What kind of thing happened to a job."""

    STATE_CHANGE = "STATE_CHANGE"
    PROGRESS = "PROGRESS"
    LOG = "LOG"


@dataclass(frozen=True, slots=True)
class Operation:
    """A job as it was at one moment. Bytes are serialised messages, see `OperationRow`."""

    name: ResourceName
    kind: str
    target: str
    state: JobState
    attempt: int
    request_id: str
    response: bytes | None
    error: bytes | None
    progress: bytes | None
    last_sequence: int
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    update_time: datetime
    cache_hit: bool = False

    @property
    def done(self) -> bool:
        """Whether it ended, in whichever way."""
        return self.state in DONE


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work to be queued.

    Attributes:
        request: Serialised `google.protobuf.Any`.
        cache_key: Names equal work; empty for work that is never shared.
        force: Queue it even when equal work is there.
        request_id: Makes the call repeatable; empty for a call that is not.
    """

    project: str
    kind: str
    target: str
    request: bytes
    cache_key: str
    force: bool
    request_id: str
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A job in the hands of a worker."""

    name: ResourceName
    kind: str
    request: bytes
    attempt: int
    checkpoint: BlobRef | None
    token: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """How far a job is: a serialised `Progress` and its phase."""

    phase: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """Something that happened to a job, as it is kept: a `JobEvent` whose content the queue does not look into.

    Attributes:
        sequence: Grows by exactly 1 with every event of the job, from 1.
        state: The new state of a state change, else None.
        payload: Serialised `google.rpc.Status` (or empty) of a state change, `Progress`, or `LogLine`.
    """

    sequence: int
    time: datetime
    type: EventType
    state: JobState | None
    payload: bytes

    @property
    def ends(self) -> bool:
        """Whether it is the last one of its job."""
        return self.state in DONE


def queue_topic(kind: str) -> str:
    """The topic of newly queued jobs of a kind."""
    return f"queue/{kind}"
