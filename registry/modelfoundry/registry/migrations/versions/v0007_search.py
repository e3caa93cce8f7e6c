"""The search index and vocabularies. Modules that are there are indexed by 0013, which adds columns to the index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel import Session

from modelfoundry.registry.database import UtcDateTime
from modelfoundry.registry.records.listed_modules import pack_all
from modelfoundry.registry.search.fulltext import create_fulltext, drop_fulltext

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "vocabularies",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("term_count", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_vocabularies")),
        sa.UniqueConstraint("uid", name=op.f("uq_vocabularies_uid")),
    )
    op.create_index(op.f("ix_vocabularies_project_name"), "vocabularies", ["project", "name"], unique=False)
    op.create_table(
        "search_modules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("module", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("license", sa.String(), nullable=False),
        sa.Column("base_model", sa.String(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("algorithm", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("weight_retention", sa.Float(), nullable=True),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("f1", sa.Float(), nullable=True),
        sa.Column("measured_dataset", sa.String(), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("ranked_accuracy", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["module"], ["modules.name"], name=op.f("fk_search_modules_module_modules"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_modules")),
        sa.UniqueConstraint("module", name=op.f("uq_search_modules_module")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_search_modules_best",
        "search_modules",
        ["project", "ranked_accuracy", "id", "accuracy", "f1", "size_bytes", "latency_ms"],
        unique=False,
    )
    for column in ("create_time", "size_bytes"):
        op.create_index(
            op.f(f"ix_search_modules_project_{column}_id"), "search_modules", ["project", column, "id"], unique=False
        )
    op.create_table(
        "packed_modules",
        sa.Column("module", sa.String(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["module"], ["modules.name"], name=op.f("fk_packed_modules_module_modules"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("module", name=op.f("pk_packed_modules")),
    )
    op.create_table(
        "search_terms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("keys", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_terms")),
        sa.UniqueConstraint("project", "source", "term", name=op.f("uq_search_terms_project_source_term")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "search_entries",
        sa.Column("term_id", sa.Integer(), nullable=False),
        sa.Column("ranked_accuracy", sa.Float(), nullable=False),
        sa.Column("module_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["term_id"], ["search_terms.id"], name=op.f("fk_search_entries_term_id_search_terms")),
        sa.ForeignKeyConstraint(
            ["module_id"],
            ["search_modules.id"],
            name=op.f("fk_search_entries_module_id_search_modules"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("term_id", "ranked_accuracy", "module_id", name=op.f("pk_search_entries")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_search_entries_module_id_term_id"), "search_entries", ["module_id", "term_id"], unique=False
    )
    create_fulltext(op.get_bind())
    with Session(op.get_bind()) as session:
        pack_all(session)
        session.commit()


def downgrade() -> None:
    """Drops the tables."""
    drop_fulltext(op.get_bind())
    for table in ("search_entries", "search_terms", "search_modules", "packed_modules", "vocabularies"):
        op.drop_table(table)
