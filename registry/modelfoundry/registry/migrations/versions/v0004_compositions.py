"""Compositions, with what they are made of and were chosen on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelfoundry.registry.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of compositions."""
    op.create_table(
        "compositions",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("license", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("mean", sa.JSON(), nullable=False),
        sa.Column("std", sa.JSON(), nullable=False),
        sa.Column("base_model", sa.String(), nullable=True),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("cache_key", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["base_model"], ["models.name"], name=op.f("fk_compositions_base_model_models")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_compositions")),
        sa.UniqueConstraint("uid", name=op.f("uq_compositions_uid")),
    )
    op.create_index(op.f("ix_compositions_base_model"), "compositions", ["base_model"], unique=False)
    op.create_index(op.f("ix_compositions_digest"), "compositions", ["digest"], unique=False)
    op.create_index(op.f("ix_compositions_project_cache_key"), "compositions", ["project", "cache_key"], unique=False)
    op.create_index(
        op.f("ix_compositions_project_create_time_name"),
        "compositions",
        ["project", "create_time", "name"],
        unique=False,
    )
    op.create_table(
        "composition_sources",
        sa.Column("composition", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("module", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["composition"], ["compositions.name"], name=op.f("fk_composition_sources_composition_compositions")
        ),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name=op.f("fk_composition_sources_model_models")),
        sa.ForeignKeyConstraint(["module"], ["modules.name"], name=op.f("fk_composition_sources_module_modules")),
        sa.PrimaryKeyConstraint("composition", "position", name=op.f("pk_composition_sources")),
    )
    op.create_index(op.f("ix_composition_sources_model"), "composition_sources", ["model"], unique=False)
    op.create_index(op.f("ix_composition_sources_module"), "composition_sources", ["module"], unique=False)
    op.create_table(
        "composition_datasets",
        sa.Column("composition", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["composition"], ["compositions.name"], name=op.f("fk_composition_datasets_composition_compositions")
        ),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name=op.f("fk_composition_datasets_dataset_datasets")),
        sa.PrimaryKeyConstraint("composition", "dataset", name=op.f("pk_composition_datasets")),
    )
    op.create_index(op.f("ix_composition_datasets_dataset"), "composition_datasets", ["dataset"], unique=False)


def downgrade() -> None:
    """Drops the tables of compositions."""
    op.drop_table("composition_datasets")
    op.drop_table("composition_sources")
    op.drop_table("compositions")
