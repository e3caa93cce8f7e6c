"""What owners say about the use of resources, and where imported models come from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DESCRIBED = ("models", "datasets", "modules", "compositions")


def upgrade() -> None:
    """Adds the columns. Nobody has said anything before, and nothing was imported."""
    for table in DESCRIBED:
        op.add_column(table, sa.Column("intended_use", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("models", sa.Column("origin", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Forgets both."""
    op.drop_column("models", "origin")
    for table in DESCRIBED:
        op.drop_column(table, "intended_use")
