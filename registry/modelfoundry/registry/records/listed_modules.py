"""Modules as lists and searches read them: many at once, and quickly.

Most of a module's message is its record and its retention, which never change. Both are kept a second time, serialised,
so that a page of modules neither reads nor parses their JSON: protobuf merges bytes many times as quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import LargeBinary, insert, select
from sqlalchemy.orm import defer
from sqlmodel import Field, Session, SQLModel, col

from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.registry.records.messages import module_message_of
from modelfoundry.registry.records.stored_messages import packed_module
from modelfoundry.registry.records.tables import ModuleRow

WITHOUT_RECORD: Final = (defer(ModuleRow.record), defer(ModuleRow.retention))  # type: ignore[arg-type]
"""Lists read modules without their largest columns."""


class PackedModuleRow(SQLModel, table=True):
    """Record and retention of a module, which never change, in the form in which lists read them."""

    __tablename__ = "packed_modules"

    module: str = Field(primary_key=True, foreign_key="modules.name", ondelete="CASCADE")
    packed: bytes = Field(sa_type=LargeBinary)
    """See `packed_module`."""


@dataclass(frozen=True, slots=True)
class ListedModule:
    """A module as lists read it."""

    row: ModuleRow
    """Without `record` and `retention`."""
    packed: bytes
    """These two, see `packed_module`."""


def packed_row(row: ModuleRow) -> PackedModuleRow:
    """What is kept beside a new module."""
    return PackedModuleRow(module=row.name, packed=packed_module(row.record, row.retention))


def packed_modules(session: Session, names: Sequence[str]) -> dict[str, bytes]:
    """Record and retention by module, see `packed_module`."""
    row = PackedModuleRow
    query = select(col(row.module), col(row.packed)).where(col(row.module).in_(names))
    return dict(session.execute(query).all())


def pack_all(session: Session) -> None:
    """Packs every module. Columns are named one by one: a migration uses this on older tables."""
    rows = session.execute(select(col(ModuleRow.name), col(ModuleRow.record), col(ModuleRow.retention)))
    packed = [{"module": name, "packed": packed_module(record, retention)} for name, record, retention in rows]
    if packed:
        session.execute(insert(PackedModuleRow), packed)


def listed_module_to_proto(listed: ListedModule) -> module_pb2.Module:
    """A stored module as lists read it."""
    message = module_message_of(listed.row)
    message.MergeFromString(listed.packed)
    return message
