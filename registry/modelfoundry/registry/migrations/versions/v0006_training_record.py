"""Models remember how they were trained."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column. Models of before have no record."""
    op.add_column("models", sa.Column("training", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Forgets the records."""
    op.drop_column("models", "training")
