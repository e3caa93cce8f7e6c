"""The registry: remembers models, data sets, modules, evaluations, jobs and their provenance, and keeps the bytes."""

from __future__ import annotations

from sqlmodel import SQLModel

# Constraints have names on every database, so that a later migration can change them. It stands here because names are
# given when a table class is made, and this file runs before any of them.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
