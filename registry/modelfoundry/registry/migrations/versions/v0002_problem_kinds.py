"""Modules that answer "none of these": a third kind of target problem."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the kind; modules that are there have one of the other two."""
    op.add_column("modules", sa.Column("open_set", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Forgets the kind."""
    op.drop_column("modules", "open_set")
