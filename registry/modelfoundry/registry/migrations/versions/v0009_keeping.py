"""When blobs were last asked for, and who holds them all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelfoundry.registry.database import UtcDateTime

revision = "0009"
down_revision = "0008"
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


def downgrade() -> None:
    """Drops them."""
    op.drop_table("blob_holds")
    op.drop_column("blobs", "touch_time")
