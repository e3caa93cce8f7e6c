"""When blobs were last asked for and who holds them all; families, versions and aliases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelfoundry.registry.database import UtcDateTime

revision = "0009"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables and columns. Columns of tables that were there are nullable: SQLite adds no others."""
    op.add_column("blobs", sa.Column("touch_time", UtcDateTime(timezone=True), nullable=True))
    op.create_table(
        "blob_holds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("expire_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blob_holds")),
    )
    op.create_table(
        "families",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_families")),
    )
    op.create_table(
        "versions",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("family_name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_versions")),
        sa.UniqueConstraint("family_name", "version", name=op.f("uq_versions_family_name_version")),
    )
    op.create_index(op.f("ix_versions_project"), "versions", ["project"], unique=False)
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_aliases")),
    )
    op.create_index(op.f("ix_aliases_project"), "aliases", ["project"], unique=False)
    op.create_index(op.f("ix_aliases_target"), "aliases", ["target"], unique=False)
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("previous_target", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("move_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_moves")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_alias_moves_alias"), "alias_moves", ["alias"], unique=False)
    op.create_index(op.f("ix_alias_moves_project"), "alias_moves", ["project"], unique=False)
