"""The rows of webhooks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from modelfoundry.registry.database import MemberName, UtcDateTime
from modelfoundry.values.kinds import Kind
from modelfoundry.values.lineage import WebhookState


class WebhookRow(SQLModel, table=True):
    """A receiver of events, and how far it is."""

    __tablename__ = Kind.WEBHOOK.value

    name: str = Field(primary_key=True)
    project: str = Field(index=True)
    create_time: datetime = Field(sa_type=UtcDateTime)
    url: str
    kinds: list[str] = Field(sa_type=JSON)
    """Names of `EventKind`s."""
    collections: list[str] = Field(sa_type=JSON)
    secret: str
    state: WebhookState = Field(default=WebhookState.ACTIVE, sa_type=MemberName(WebhookState))
    delivered_sequence: int = Field(sa_type=BigInteger)
    """Everything up to this event was delivered, or was not asked for."""
    failures: int = 0
    """Attempts in a row that failed."""
    last_error: str = ""
    next_attempt_time: datetime = Field(sa_type=UtcDateTime)
    """Nothing is sent before: put off after a failure, and while an attempt is under way."""
