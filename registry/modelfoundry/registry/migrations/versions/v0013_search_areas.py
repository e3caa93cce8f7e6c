"""Searches show balanced accuracy and AUC; modules that are there are indexed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel import Session

from modelfoundry.registry.search.indexing import index_all

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = ("balanced_accuracy", "auc")


def upgrade() -> None:
    """Adds the columns and fills them from the evaluations."""
    for column in COLUMNS:
        op.add_column("search_modules", sa.Column(column, sa.Float(), nullable=True))
    with Session(op.get_bind()) as session:
        index_all(session)
        session.commit()


def downgrade() -> None:
    """Forgets both; evaluations keep them."""
    for column in COLUMNS:
        op.drop_column("search_modules", column)
