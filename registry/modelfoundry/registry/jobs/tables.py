"""The rows behind jobs: operations, their events, and the request ids that asked for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from modelfoundry.registry.database import MemberName, UtcDateTime
from modelfoundry.values.kinds import Kind
from modelfoundry.values.results import JobState


class OperationRow(SQLModel, table=True):
    """A job.

    Bytes are serialised messages: `request` and `response` are `google.protobuf.Any`, `error` is `google.rpc.Status`,
    `progress` is `Progress`. The queue never looks into them.
    """

    __tablename__ = Kind.OPERATION.value
    __table_args__ = (
        UniqueConstraint("project", "id"),
        UniqueConstraint("project", "cache_slot"),
        Index(None, "state", "key"),
        Index(None, "project", "key"),
        Index(None, "project", "cache_key"),
    )

    key: int | None = Field(default=None, primary_key=True)
    """Grows with every job: the order of the queue."""
    project: str
    id: str
    kind: str
    target: str = ""
    state: JobState = Field(sa_type=MemberName(JobState))
    request: bytes = Field(sa_type=LargeBinary)
    response: bytes | None = Field(default=None, sa_type=LargeBinary)
    error: bytes | None = Field(default=None, sa_type=LargeBinary)
    request_id: str = ""

    cache_key: str = ""
    """Names equal work; empty where it is not shared or its result is gone."""
    cache_slot: str | None = None
    """The cache key again while this job stands for it: unique, so that only one can."""

    attempt: int = 0
    max_attempts: int
    lease_token: str | None = None
    """Kept after the end, so that a worker's repeated last call is known to be its own."""
    lease_owner: str = ""
    lease_seconds: float = 0.0
    lease_expires: datetime | None = Field(default=None, sa_type=UtcDateTime)

    checkpoint_digest: str | None = Field(default=None, index=True)
    checkpoint_bytes: int = Field(default=0, sa_type=BigInteger)
    checkpoint_media_type: str = ""

    progress: bytes | None = Field(default=None, sa_type=LargeBinary)
    progress_waits: bool = False
    """True while `progress` has not become an event."""
    reported_phase: str = ""
    """Phase of the last report of progress."""
    event_progress_time: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When progress last became an event."""
    last_sequence: int = 0

    create_time: datetime = Field(sa_type=UtcDateTime)
    start_time: datetime | None = Field(default=None, sa_type=UtcDateTime)
    end_time: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    update_time: datetime = Field(sa_type=UtcDateTime)


class OperationEventRow(SQLModel, table=True):
    """Something that happened to a job; written in the transaction in which it happened."""

    __tablename__ = "operation_events"

    operation_key: int = Field(
        sa_column=Column(Integer, ForeignKey("operations.key", ondelete="CASCADE"), primary_key=True)
    )
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_time: datetime = Field(sa_type=UtcDateTime)
    type: str
    state: JobState | None = Field(default=None, nullable=False, sa_type=MemberName(JobState))
    payload: bytes = Field(default=b"", sa_type=LargeBinary)


class OperationRequestRow(SQLModel, table=True):
    """What a `request_id` asked for and which job it got."""

    __tablename__ = "operation_requests"

    project: str = Field(primary_key=True)
    request_id: str = Field(primary_key=True)
    fingerprint: str
    cache_hit: bool = False
    operation_key: int = Field(
        sa_column=Column(Integer, ForeignKey("operations.key", ondelete="CASCADE"), nullable=False, index=True)
    )


def stored_key(row: OperationRow) -> int:
    """The key of a row that was flushed to the database."""
    if row.key is None:
        raise ValueError(f"the row of job {row.id!r} was not flushed")
    return row.key
