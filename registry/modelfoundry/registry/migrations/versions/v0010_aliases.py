"""Families of resources, their versions, and aliases that move between them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelfoundry.registry.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
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


def downgrade() -> None:
    """Drops them."""
    for table in ("alias_moves", "aliases", "versions", "families"):
        op.drop_table(table)
