"""The database: connections, transactions, migrations, and its failures in our words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, DateTime, Dialect, Engine, String, event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.orm import sessionmaker
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session

from modelfoundry.errors import InvalidField, ModelFoundryError, StorageFull, Unavailable

WAIT_SECONDS: Final = 10
POOL_SIZE: Final = 16
MAPPED_BYTES: Final = 1024 * 1024 * 1024  # read without copying; what is beyond is read as ever
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_READ_ONLY: Final = "modelfoundry_read_only"
_MIGRATION_LOCK: Final = 0x6D66_6462  # any number, the same in every registry
_SQLITE_FULL: Final = {sqlite3.SQLITE_FULL}
_SQLITE_TROUBLE: Final = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC in Python, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses moments whose time zone is not known."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Gives the time zone back that SQLite does not keep."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class MemberName(TypeDecorator[StrEnum]):
    """A member of an enum as its name; none as the empty text, for columns that were made to be never NULL.

    Names, and not values, which are in lower case for people: this is what databases of before hold.
    """

    impl = String
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str:  # noqa: ARG002
        """Gives the database a name."""
        return "" if value is None else self.members(value).name

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        """Gives the member back."""
        return self.members[value] if value else None


class Database:
    """Transactions on any SQLAlchemy URL.

    All methods block: call them from a thread, never from the event loop.

    Args:
        url: For example `sqlite:////var/lib/modelfoundry/registry.db` or `postgresql+psycopg://...`, or as a value:
            only so a path may hold any character.

    Raises:
        InvalidField: `url` is none, or its driver is not installed.
        Unavailable: from every method, when the database cannot be reached, is locked, read-only or damaged.
        StorageFull: from every method, when its disk is full.
    """

    def __init__(self, url: str | URL) -> None:
        self._engine = _engine(url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._reader = self._engine.execution_options(**{_READ_ONLY: True})
        self._writers = sessionmaker(self._engine, class_=Session, expire_on_commit=False)
        # SQLite has one writer at a time. Queuing here is fair and quick; its own waiting polls and can starve.
        self._writer_turn = threading.Lock()
        self._hearers: list[Callable[[Session], None]] = []
        if self._is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)

    @property
    def engine(self) -> Engine:
        """The engine, for what a session cannot do."""
        return self._engine

    @property
    def writers(self) -> sessionmaker[Session]:
        """What makes the transactions of `session`, to listen to them."""
        return self._writers

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that may write: commits at the end of the block, rolls back when the block raises.

        Keep it short and do no other slow work in it: on SQLite all writers of the process wait for it. Sessions of one
        thread must not be nested.
        """
        with (
            self._translated(),
            self._turn(),
            self._writers() as session,
            session.begin(),
        ):
            yield session
        for hear in self._hearers:
            hear(session)

    def on_written(self, hear: Callable[[Session], None]) -> None:
        """Has something called after every transaction that was committed, in its thread, when others may write again.

        Args:
            hear: Gets the session, which is closed; its `info` is what listeners left there.
        """
        self._hearers.append(hear)

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """A transaction that only reads, of one consistent state; it waits for no writer and keeps none waiting."""
        with self._translated(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    def migrate(self) -> None:
        """Brings the schema to the newest version. Two processes may do it at once."""
        config = _migrations()
        # One transaction round everything: on SQLite it began with the write lock, on PostgreSQL it takes one, so a
        # second process waits and then finds nothing left to do.
        with self._translated(), self._turn(), self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def revision(self) -> str:
        """The version of the schema; empty where there is none yet."""
        with self.read_session() as session:
            return MigrationContext.configure(session.connection()).get_current_revision() or ""

    def check(self) -> None:
        """Asks the database for an answer (readiness)."""
        with self.read_session() as session:
            session.connection().execute(sqlalchemy.text("SELECT 1"))

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._is_sqlite:
            yield
            return
        if not self._writer_turn.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(
                f"the database was busy for {WAIT_SECONDS} seconds",
                hint="try again; if it stays so, look for a stuck writer",
            )
        try:
            yield
        finally:
            self._writer_turn.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.DBAPIError, exc.TimeoutError) as error:
            translated = _in_our_words(error)
            if translated is None:
                raise
            raise translated from error


def known_revisions() -> list[str]:
    """The versions of the schema that this code knows, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_migrations()).walk_revisions()]


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def database_url(url: str) -> URL:
    """A URL in its parts.

    Raises:
        InvalidField: it is none. The text stays out of the message: it may hold a password.
    """
    try:
        return make_url(url)
    except exc.ArgumentError:
        raise _no_url() from None


def _no_url() -> InvalidField:
    return InvalidField(
        "database_url is no SQLAlchemy URL of a known database",
        field="database_url",
        hint="pass for example sqlite:////var/lib/modelfoundry/registry.db or postgresql+psycopg://user@host/name",
    )


def _engine(url: str | URL) -> Engine:
    parsed = database_url(url) if isinstance(url, str) else url
    try:
        is_server = parsed.get_backend_name() != "sqlite"
        return sqlalchemy.create_engine(parsed, pool_pre_ping=is_server, pool_size=POOL_SIZE)
    except exc.ArgumentError:
        raise _no_url() from None
    except ModuleNotFoundError as error:
        raise InvalidField(
            f"database_url needs the Python package {error.name}, which is not installed",
            field="database_url",
            hint='install it; for PostgreSQL: pip install "modelfoundry[registry,postgresql]"',
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy then sends BEGIN itself (below): the driver's own habit of beginning late breaks snapshots and DDL.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    # NORMAL, often advised beside WAL, may lose the last commits when the power fails, of which callers were told.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: sqlalchemy.Connection) -> None:
    # A writer takes the write lock at once: a reader that turns writer in mid-transaction fails with "database is
    # locked" without waiting.
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _in_our_words(error: exc.SQLAlchemyError) -> ModelFoundryError | None:
    """The error that a caller can act on, or None for a mistake of ours."""
    if isinstance(error, exc.TimeoutError):
        return Unavailable("all connections to the database are busy", hint="try again")
    if not isinstance(error, exc.DBAPIError):
        return None
    cause: Any = error.orig
    full = StorageFull("the disk of the registry's database is full", hint="free some space; nothing was changed")
    trouble = Unavailable(
        f"the registry's database does not answer as it should: {cause}",
        hint="look at MODELFOUNDRY_REGISTRY_DATABASE_URL, at the file's permissions and at the database server",
    )
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code in _SQLITE_FULL:
            return full
        return trouble if code in _SQLITE_TROUBLE else None
    if getattr(cause, "sqlstate", None) == "53100":
        return full
    return (
        trouble
        if error.connection_invalidated or isinstance(error, (exc.OperationalError, exc.InterfaceError))
        else None
    )
