"""Has the search index follow the catalog: in the transactions that change modules or measure them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import event
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Session

from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import EvaluationRow, ModuleRow
from modelfoundry.registry.search.indexing import index_modules

_STALE: Final = "modelfoundry_stale_modules"


def follow_modules(database: Database) -> None:
    """From here on, every change of a module and of what was measured of it is in the index when it is committed."""
    event.listen(database.writers, "after_flush", _note_flushed)
    # Before other listeners: the journal takes the row that all writers share last, and holds it for a short time.
    event.listen(database.writers, "before_commit", _bring_up_to_date, insert=True)


def _note_flushed(session: Session, _flush: UOWTransaction) -> None:
    session.info.setdefault(_STALE, set()).update(_changed(session))


def _changed(session: Session) -> Iterator[str]:
    """Names of modules whose entries may differ; labels and tags change only together with their module."""
    for row in (*session.new, *session.deleted):
        if isinstance(row, EvaluationRow):
            yield row.subject
    for row in session.new:
        if isinstance(row, ModuleRow):
            yield row.name
    for row in session.dirty:
        if isinstance(row, ModuleRow) and session.is_modified(row):
            yield row.name


def _bring_up_to_date(session: Session) -> None:
    session.flush()
    # Those that were deleted meanwhile are passed over; their entries went with them.
    index_modules(session, sorted(session.info.pop(_STALE, ())))
