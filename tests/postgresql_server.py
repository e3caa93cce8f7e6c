"""A real PostgreSQL server for the tests: a cluster in a temporary folder, on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest
import sqlalchemy
from minio_server import free_port
from sqlalchemy.engine import URL, make_url

from modelfoundry.registry.database import Database

HOW_TO_GET_IT = (
    "NO POSTGRESQL SERVER: `apt-get install postgresql` brings one, or set "
    "MODELFOUNDRY_TEST_POSTGRESQL_URL=postgresql+psycopg://USER:PASSWORD@HOST:PORT/postgres (a user that may create "
    "databases)"
)
# A test's data need not outlive the machine: without these a database takes ten times as long to make.
QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=300")


@dataclass(frozen=True)
class PostgresqlServer:
    """Where a server listens, and a database in it that has the registry's schema and nothing else."""

    maintenance: URL
    template: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a database of one's own with the schema in it."""
        name = f"test_{uuid.uuid4().hex}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
        yield _text(self.maintenance.set(database=name))
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def prepare(self) -> None:
        """Makes the template."""
        self._run(f'CREATE DATABASE "{self.template}"')
        database = Database(_text(self.maintenance.set(database=self.template)))
        database.migrate()
        database.close()

    def remove(self) -> None:
        """Drops the template."""
        self._run(f'DROP DATABASE "{self.template}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        engine = sqlalchemy.create_engine(self.maintenance, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))


@contextmanager
def any_postgresql() -> Iterator[PostgresqlServer]:
    """The server at `MODELFOUNDRY_TEST_POSTGRESQL_URL` if that is set, else one of our own; skips without either."""
    template = f"template_{uuid.uuid4().hex}"
    if url := os.environ.get("MODELFOUNDRY_TEST_POSTGRESQL_URL"):
        server = PostgresqlServer(make_url(url), template)
        server.prepare()
        try:
            yield server
        finally:
            server.remove()
        return
    with _started() as maintenance:
        server = PostgresqlServer(maintenance, template)
        server.prepare()
        yield server


@contextmanager
def _started() -> Iterator[URL]:
    programs = _programs()
    if programs is None:
        pytest.skip(HOW_TO_GET_IT)
    # Not below pytest's own folder: that is closed to the user that the server runs as.
    folder = Path(mkdtemp(prefix="postgresql-"))
    user = _server_user()
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    _call(user, programs / "initdb", "--pgdata", data, "--username", "test", "--auth", "trust", "--no-sync")
    settings = " ".join(f"-c {setting}" for setting in (*QUICK, f"port={port}", "listen_addresses=127.0.0.1"))
    options = f"{settings} -c unix_socket_directories="
    _call(user, programs / "pg_ctl", "start", "--pgdata", data, "--wait", "--log", folder / "log", "--options", options)
    try:
        yield URL.create("postgresql+psycopg", username="test", host="127.0.0.1", port=port, database="postgres")
    finally:
        _call(user, programs / "pg_ctl", "stop", "--pgdata", data, "--mode", "immediate")
        shutil.rmtree(folder)


def _call(user: str | None, *arguments: str | Path) -> None:
    """Runs a program. Its output goes nowhere: a server that it starts would hold a pipe of ours open."""
    nowhere = subprocess.DEVNULL
    subprocess.run(list(map(str, arguments)), check=True, user=user, cwd="/", stdout=nowhere, stderr=nowhere)


def _programs() -> Path | None:
    """The folder of the server's programs, which Debian keeps off PATH; the newest version."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return folders[-1].parent if folders else None


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root: then as the user that its package makes, else as nobody in particular."""
    if os.geteuid():
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
