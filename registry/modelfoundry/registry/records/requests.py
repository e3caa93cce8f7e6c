"""Repeated calls: what a `request_id` made the first time is what it gives for 24 hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import delete
from sqlmodel import Session, SQLModel, col

from modelfoundry.errors import RequestIdReused
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.tables import RequestRow

KEPT: Final = timedelta(hours=24)
Row = TypeVar("Row", bound=SQLModel)


def answered_before(session: Session, project: str, call: CreateCall, row: type[Row], now: datetime) -> Row | None:
    """What the first call with this request id made, as it was then, or None.

    Raises:
        RequestIdReused: the first call asked for something else.
    """
    if not call.request_id or call.validate_only:
        return None
    request = session.get(RequestRow, (project, call.request_id))
    if request is None or request.expire_time <= now:
        return None
    if request.fingerprint != call.fingerprint:
        raise RequestIdReused(
            f"request_id: {call.request_id} was used for another request",
            field="request_id",
            hint="pass a new UUID4 for a request that differs",
        )
    return row.model_validate(request.response)


def remember_answer(session: Session, project: str, call: CreateCall, row: SQLModel, now: datetime) -> None:
    """Keeps the answer in the transaction that makes it true, and forgets answers that are too old."""
    session.execute(delete(RequestRow).where(col(RequestRow.expire_time) <= now))
    # The row itself and not its name: a repeated call hears what the first one heard, whatever was changed since.
    if call.request_id:
        session.add(
            RequestRow(
                project=project,
                request_id=call.request_id,
                fingerprint=call.fingerprint,
                response=row.model_dump(mode="json"),
                expire_time=now + KEPT,
            )
        )
