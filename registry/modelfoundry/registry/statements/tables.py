"""The rows of statements and of public keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from modelfoundry.registry.database import UtcDateTime


class StatementRow(SQLModel, table=True):
    """What was signed about a module or composition; written in the transaction that stored it, never changed."""

    __tablename__ = "statements"

    resource: str = Field(primary_key=True)
    envelope: bytes = Field(sa_type=LargeBinary)
    """A DsseEnvelope, serialised."""
    sign_time: datetime = Field(sa_type=UtcDateTime)


class StatementKeyRow(SQLModel, table=True):
    """A public key that this registry signs with, or signed with once."""

    __tablename__ = "statement_keys"

    key_id: str = Field(primary_key=True)
    public_key: str
    """PEM."""
    create_time: datetime = Field(sa_type=UtcDateTime)
