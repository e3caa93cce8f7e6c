"""The rows of the registry's events."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from modelfoundry.registry.database import MemberName, UtcDateTime
from modelfoundry.values.lineage import EventKind


class EventRow(SQLModel, table=True):
    """A change of a resource; written in the transaction that made it."""

    __tablename__ = "events"

    sequence: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """From 1, without gaps, in the order of the commits."""
    project: str
    kind: EventKind = Field(sa_type=MemberName(EventKind))
    collection: str
    resource: str
    digest: str = ""
    etag: str = ""
    evaluation: str = ""
    alias: str = ""
    event_time: datetime = Field(sa_type=UtcDateTime, index=True)


class EventCounterRow(SQLModel, table=True):
    """One row: the number of the newest event. Whoever writes events holds it until the commit: they are in order."""

    __tablename__ = "event_counter"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    last_sequence: int = Field(sa_type=BigInteger)
