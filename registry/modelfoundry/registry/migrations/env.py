"""Alembic's entry: runs migrations on the connection that `Database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from modelfoundry.registry.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
