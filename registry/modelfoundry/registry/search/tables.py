"""The rows of the search index, which follow the catalog in the same transactions, and vocabularies."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from modelfoundry.registry.database import UtcDateTime
from modelfoundry.registry.records.tables import ResourceRow
from modelfoundry.values.kinds import Kind

NOT_MEASURED: Final = -1.0
_ASKED: Final = ("accuracy", "f1", "size_bytes", "latency_ms")


class TermSource(StrEnum):
    """What a term was taken from."""

    LABEL = "label"
    """A whole label."""
    TEXT = "text"
    """One word of a display name or of a tag's value."""


class SearchModuleRow(SQLModel, table=True):
    """What filters and orders of a search look at: one row for every module."""

    __tablename__ = "search_modules"
    # Ids are never used again: pages go on behind an id.
    __table_args__ = (
        # With what filters ask most, so that they need not look at rows that do not pass.
        Index("ix_search_modules_best", "project", "ranked_accuracy", "id", *_ASKED),
        Index(None, "project", "create_time", "id"),
        Index(None, "project", "size_bytes", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    module: str = Field(foreign_key="modules.name", unique=True, ondelete="CASCADE")
    project: str
    display_name: str
    license: str
    base_model: str
    architecture: str
    """Builder of the base model."""
    dataset: str
    algorithm: str
    size_bytes: int = Field(sa_type=BigInteger)
    weight_retention: float | None = None
    create_time: datetime = Field(sa_type=UtcDateTime)
    update_time: datetime = Field(sa_type=UtcDateTime)
    accuracy: float | None = None
    """Of the evaluation on a test split that has the best."""
    f1: float | None = None
    """In the same evaluation."""
    measured_dataset: str = ""
    latency_ms: float | None = None
    balanced_accuracy: float | None = None
    """On all images of the split, in the same evaluation as `accuracy`, as the next."""
    auc: float | None = None
    ranked_accuracy: float
    """`accuracy`, or -1."""


class SearchTermRow(SQLModel, table=True):
    """A text that modules are found by, once for all modules of a project that have it."""

    __tablename__ = "search_terms"
    __table_args__ = (UniqueConstraint("project", "source", "term"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True)
    project: str
    source: str
    term: str
    """Folded."""
    keys: str
    """Deletion keys of the words of a label, between blanks."""


class SearchEntryRow(SQLModel, table=True):
    """A module under a term, in the order in which results are given."""

    __tablename__ = "search_entries"
    __table_args__ = (
        PrimaryKeyConstraint("term_id", "ranked_accuracy", "module_id"),
        Index(None, "module_id", "term_id"),
        {"sqlite_with_rowid": False},
    )

    term_id: int = Field(foreign_key="search_terms.id")
    ranked_accuracy: float
    module_id: int = Field(foreign_key="search_modules.id", ondelete="CASCADE")


class VocabularyRow(ResourceRow, table=True):
    """A vocabulary. Never changes."""

    __tablename__ = Kind.VOCABULARY.value
    __table_args__ = (Index(None, "project", "name"),)

    uid: str = Field(unique=True)
    display_name: str = ""
    description: str = ""
    term_count: int
    terms: list[dict[str, Any]] = Field(sa_type=JSON)
    """For every term: `term`, `synonyms`, `broader`."""
