"""Holds: while there is one, no blob is removed, whoever asks for it and in whichever process."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from modelfoundry.errors import InUse
from modelfoundry.registry.blobs.tables import BlobHoldRow
from modelfoundry.registry.database import Database

HOLD: Final = timedelta(hours=1)
"""How long a hold lasts that is not renewed: its owner was killed."""


def is_held(session: Session, now: datetime) -> bool:
    """Whether somebody needs every blob to stay, as seen in the given transaction."""
    return session.exec(select(BlobHoldRow.id).where(col(BlobHoldRow.expire_time) > now).limit(1)).first() is not None


class Hold:
    """Keeps all blobs where they are, from `take` to `release`. Blocks.

    Args:
        database: Where holds are noted, for all processes.
        reason: What needs them, for people.
    """

    def __init__(self, database: Database, reason: str) -> None:
        self._database = database
        self._reason = reason
        self._id = uuid.uuid4().hex
        self._expires = datetime.now(UTC)

    def take(self) -> None:
        """Begins it: no removal ends after this that began before. Forgets holds that ran out."""
        with self._database.session() as session:
            now = datetime.now(UTC)
            for old in session.exec(select(BlobHoldRow).where(col(BlobHoldRow.expire_time) <= now)):
                session.delete(old)
            self._expires = now + HOLD
            session.add(BlobHoldRow(id=self._id, reason=self._reason, expire_time=self._expires))

    def renew(self) -> None:
        """Keeps it going; to be called every few minutes. Writes only when half of its time is over.

        Raises:
            InUse: it ran out, so that blobs may be gone.
        """
        now = datetime.now(UTC)
        if now < self._expires - HOLD / 2:
            return
        with self._database.session() as session:
            row = session.get(BlobHoldRow, self._id)
            if row is None or row.expire_time <= now:
                raise InUse(
                    f"the hold of the {self._reason} ran out: blobs may have been removed meanwhile",
                    hint="start it again: it goes on with what it has",
                )
            row.expire_time = self._expires = now + HOLD

    def release(self) -> None:
        """Ends it."""
        with self._database.session() as session:
            if row := session.get(BlobHoldRow, self._id):
                session.delete(row)
