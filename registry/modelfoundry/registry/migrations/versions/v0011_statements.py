"""Signed statements, and the public keys that they were signed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelfoundry.registry.database import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables. What is there already stays unsigned."""
    op.create_table(
        "statements",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("sign_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_statements")),
    )
    op.create_table(
        "statement_keys",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_statement_keys")),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("statement_keys")
    op.drop_table("statements")
