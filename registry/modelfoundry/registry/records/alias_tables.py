"""The tables of families, versions and aliases. Resources of all collections share them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from modelfoundry.registry.database import UtcDateTime


class FamilyRow(SQLModel, table=True):
    """A family, and the last number that it gave: no number is given twice."""

    __tablename__ = "families"

    name: str = Field(primary_key=True)
    """`projects/{project}/{collection}/{family}`."""
    last_version: int = 0


class VersionRow(SQLModel, table=True):
    """A resource that is a version of a family."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("family_name", "version"),)

    resource: str = Field(primary_key=True)
    project: str = Field(index=True)
    collection: str
    family: str
    family_name: str
    version: int
    create_time: datetime = Field(sa_type=UtcDateTime)


class AliasRow(SQLModel, table=True):
    """An alias, and what it stands for."""

    __tablename__ = "aliases"

    name: str = Field(primary_key=True)
    """`projects/{project}/{collection}/{family}@{alias}`."""
    project: str = Field(index=True)
    collection: str
    family: str
    target: str = Field(index=True)
    version: int
    update_time: datetime = Field(sa_type=UtcDateTime)


class AliasMoveRow(SQLModel, table=True):
    """A move of an alias; empty targets stand for its making and its removal."""

    __tablename__ = "alias_moves"
    # Ids are never used again: lists go on behind an id.
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    project: str = Field(index=True)
    alias: str = Field(index=True)
    previous_target: str
    target: str
    move_time: datetime = Field(sa_type=UtcDateTime)
