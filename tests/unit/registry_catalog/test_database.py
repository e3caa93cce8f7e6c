"""The database: transactions, and its troubles in our words."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.schema import CreateTable

from modelfoundry import errors
from modelfoundry.registry import database as database_module
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import RequestRow, SigningKeyRow, TagRow
from modelfoundry.registry.schema import METADATA


@pytest.fixture
def path(tmp_path: Path, migrated_sqlite: Path) -> Path:
    return shutil.copyfile(migrated_sqlite, tmp_path / "registry.db")


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def _tag(key: str) -> TagRow:
    return TagRow(resource="r", key=key, value="v")


def _keys(database: Database) -> list[str]:
    with database.read_session() as session:
        return list(session.execute(text("SELECT key FROM resource_tags ORDER BY key")).scalars())


def test_a_session_commits_at_its_end_and_rolls_back_when_it_fails(database: Database) -> None:
    with database.session() as session:
        session.add(_tag("kept"))
    with pytest.raises(KeyError):
        _write_and_fail(database)

    assert _keys(database) == ["kept"]


def _write_and_fail(database: Database) -> None:
    with database.session() as session:
        session.add(_tag("lost"))
        session.flush()
        raise KeyError


def test_every_connection_is_safe_and_checks_foreign_keys(database: Database) -> None:
    with database.read_session() as session:
        pragmas = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }

    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 10_000}
    with pytest.raises(IntegrityError), database.session() as session:
        session.execute(text("INSERT INTO resource_blobs VALUES ('r', 'sha256:none')"))


def test_a_reader_sees_one_state_and_does_not_wait_for_a_writer(database: Database) -> None:
    with database.read_session() as reader:
        before = reader.execute(text("SELECT count(*) FROM resource_tags")).scalar()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_write, database, "new").result(timeout=20)
        after = reader.execute(text("SELECT count(*) FROM resource_tags")).scalar()

    assert before == after == 0
    assert _keys(database) == ["new"]


def _write(database: Database, key: str) -> None:
    with database.session() as session:
        session.add(_tag(key))


def test_reading_first_and_writing_then_is_no_reason_to_fail(database: Database, path: Path) -> None:
    """Two databases are two processes: the lock of one is not known to the other."""
    other = Database(f"sqlite:///{path}")
    barrier = threading.Barrier(6)

    def count_up(mine: Database) -> None:
        barrier.wait(timeout=30)
        for _ in range(10):
            with mine.session() as session:
                row = session.get(SigningKeyRow, "count")
                number = int(row.key) if row else 0
                session.merge(SigningKeyRow(purpose="count", key=str(number + 1).encode()))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(count_up, [database, other] * 3))
    other.close()

    with database.read_session() as session:
        assert session.get_one(SigningKeyRow, "count").key == b"60"


def test_a_database_that_cannot_be_opened_is_unavailable() -> None:
    with pytest.raises(errors.Unavailable, match="unable to open database file") as caught:
        Database("sqlite:////proc/no/such/folder/registry.db").check()

    assert "MODELFOUNDRY_REGISTRY_DATABASE_URL" in caught.value.hint


def test_a_database_server_that_does_not_answer_is_unavailable() -> None:
    engine = Database("sqlite://")
    refused = OperationalError("SELECT 1", {}, Exception("connection refused"))

    with pytest.raises(errors.Unavailable, match="connection refused"), engine.read_session():
        raise refused


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "no SQLAlchemy URL"),
        ("nonsense", "no SQLAlchemy URL"),
        ("nosuch://user:hunter2@host/name", "no SQLAlchemy URL"),
        ("mysql+cymysql://user:hunter2@host/name", "the Python package cymysql, which is not installed"),
    ],
)
def test_a_url_that_is_none_is_refused_without_telling_its_password(url: str, what: str) -> None:
    with pytest.raises(errors.InvalidField, match=what) as caught:
        Database(url)

    assert caught.value.field == "database_url"
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"this is no database" * 1000)

    with pytest.raises(errors.Unavailable, match="file is not a database"):
        Database(f"sqlite:///{path}").check()


def test_a_read_only_database_is_unavailable_to_writers_alone(path: Path, database: Database) -> None:
    read_only = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    _write(database, "there")

    assert _keys(read_only) == ["there"]
    with pytest.raises(errors.Unavailable, match="readonly"):
        _write(read_only, "new")
    read_only.close()


def test_a_lock_that_is_never_given_back_is_unavailable(
    path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "WAIT_SECONDS", 0.05)
    impatient = Database(f"sqlite:///{path}")
    with sqlite3.connect(path, isolation_level=None) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.Unavailable, match="database is locked"):
            _write(impatient, "new")
        stranger.execute("ROLLBACK")
    stranger.close()

    _write(impatient, "new")
    assert _keys(impatient) == ["new"]
    impatient.close()


def test_a_full_disk_is_said_and_undoes_everything(database: Database) -> None:
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    database.engine.dispose()
    event.listen(database.engine, "connect", limit)

    rows = [_tag("small"), SigningKeyRow(purpose="large", key=bytes(1_000_000))]
    with pytest.raises(errors.StorageFull) as caught, database.session() as session:
        session.add_all(rows)

    assert caught.value.hint
    assert _keys(database) == []


def test_a_mistake_of_ours_is_not_called_trouble_of_the_database(database: Database) -> None:
    with pytest.raises(OperationalError, match="no such table"), database.session() as session:
        session.execute(text("SELECT * FROM nonsense"))


def test_moments_are_stored_in_utc_to_the_microsecond(registry: Any) -> None:
    moment = datetime(2026, 5, 1, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=5)))
    row, naive = (
        RequestRow(project="p", request_id=request_id, fingerprint="", response={}, expire_time=time)
        for request_id, time in (("1", moment), ("2", moment.replace(tzinfo=None)))
    )
    with registry.database.session() as session:
        session.add(row)
    with registry.database.read_session() as session:
        stored = session.get_one(RequestRow, ("p", "1")).expire_time

    assert stored == moment
    assert stored.tzinfo is UTC
    with pytest.raises(StatementError, match="without a time zone"), registry.database.session() as session:
        session.add(naive)


def test_every_table_can_be_made_on_postgresql() -> None:
    statements = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in METADATA.sorted_tables]

    assert any("TIMESTAMP WITH TIME ZONE" in statement for statement in statements)
