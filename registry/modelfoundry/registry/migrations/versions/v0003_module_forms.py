"""What a module's original, masked and compacted forms cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the comparison; modules that are there were not measured."""
    op.add_column("modules", sa.Column("forms", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Forgets the comparisons."""
    op.drop_column("modules", "forms")
