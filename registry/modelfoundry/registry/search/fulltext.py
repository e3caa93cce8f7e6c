"""SQLite's full-text index over terms (FTS5), and the triggers that keep it and the terms in step with the entries."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

_CREATE: Final = (
    """
    CREATE VIRTUAL TABLE search_terms_fts USING fts5(
        term, keys, content='search_terms', content_rowid='id', prefix='1 2 3',
        tokenize="unicode61 remove_diacritics 0 categories 'L* N* S* Mc Co'"
    )
    """,
    """
    CREATE TRIGGER search_terms_inserted AFTER INSERT ON search_terms BEGIN
        INSERT INTO search_terms_fts(rowid, term, keys) VALUES (new.id, new.term, new.keys);
    END
    """,
    """
    CREATE TRIGGER search_terms_deleted AFTER DELETE ON search_terms BEGIN
        INSERT INTO search_terms_fts(search_terms_fts, rowid, term, keys) VALUES ('delete', old.id, old.term, old.keys);
    END
    """,
    """
    CREATE TRIGGER search_entries_deleted AFTER DELETE ON search_entries BEGIN
        DELETE FROM search_terms WHERE id = old.term_id
            AND NOT EXISTS (SELECT 1 FROM search_entries WHERE term_id = old.term_id);
    END
    """,
)
_DROP: Final = (
    "DROP TRIGGER search_entries_deleted",
    "DROP TRIGGER search_terms_deleted",
    "DROP TRIGGER search_terms_inserted",
    "DROP TABLE search_terms_fts",
)


def create_fulltext(connection: Connection) -> None:
    """Makes index and triggers on SQLite. Elsewhere terms are looked through as they are, and unused ones stay."""
    _run(connection, _CREATE)


def drop_fulltext(connection: Connection) -> None:
    """Undoes `create_fulltext`."""
    _run(connection, _DROP)


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    if connection.dialect.name == "sqlite":
        for statement in statements:
            connection.exec_driver_sql(statement)
