"""The tables of uploads, and of those who hold all blobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel, UniqueConstraint

from modelfoundry.registry.database import UtcDateTime
from modelfoundry.values.kinds import Kind


class BlobHoldRow(SQLModel, table=True):
    """Somebody who needs every blob to stay: a backup that is being made."""

    __tablename__ = "blob_holds"

    id: str = Field(primary_key=True, max_length=32)
    reason: str
    expire_time: datetime = Field(sa_type=UtcDateTime)


class UploadRow(SQLModel, table=True):
    """An upload that was announced. How many bytes came is the size of its spool file, and nowhere else."""

    __tablename__ = Kind.UPLOAD.value
    __table_args__ = (UniqueConstraint("project", "request_id"),)

    id: str = Field(primary_key=True, max_length=63)
    project: str = Field(max_length=63)
    digest: str = Field(max_length=71)
    size_bytes: int = Field(sa_type=BigInteger)
    media_type: str = Field(max_length=255)
    request_id: str | None = Field(default=None, max_length=36)
    create_time: datetime = Field(sa_type=UtcDateTime, index=True)
