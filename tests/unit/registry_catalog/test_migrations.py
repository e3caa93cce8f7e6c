"""Migrations: they make what the tables say, once, whoever begins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlmodel import select

from modelfoundry.registry.database import MIGRATIONS, Database
from modelfoundry.registry.records.messages import problem_of
from modelfoundry.registry.records.tables import ModuleRow, TagRow
from modelfoundry.registry.schema import METADATA
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'with %20 percent.db'}")
    yield database
    database.close()


def test_the_migrated_schema_is_what_the_tables_say(database: Database) -> None:
    database.migrate()

    with database.engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_name": _is_no_part_of_an_index}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, METADATA) == []
        assert _tables(connection) == {*METADATA.tables, "alembic_version"}


def _is_no_part_of_an_index(name: str | None, kind: str, _parents: object) -> bool:
    """SQLite's full-text index keeps itself in tables."""
    return kind != "table" or not str(name).startswith("search_terms_fts")


def _tables(connection: Connection) -> set[str]:
    return {name for name in inspect(connection).get_table_names() if _is_no_part_of_an_index(name, "table", None)}


def test_every_migration_has_one_successor(database: Database) -> None:
    script = ScriptDirectory(str(MIGRATIONS))

    assert len(script.get_heads()) == 1
    assert script.get_current_head() is not None


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()
    with database.session() as session:
        session.add(TagRow(resource="r", key="k", value="v"))

    database.migrate()

    with database.read_session() as session:
        assert len(session.exec(select(TagRow)).all()) == 1


def test_modules_of_the_first_schema_keep_their_problems(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")  # unlike `Database`, it does not check foreign keys
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for name, binary in (("one", True), ("several", False)):
            row = dict.fromkeys((column["name"] for column in inspect(connection).get_columns("modules")), name)
            row |= {"binary": binary, "labels": '["b", "a"]', "tags": "{}", "record": "{}", "retention": None}
            row |= {"weight_retention": 0.5, "artifact_bytes": 1}
            row |= dict.fromkeys(("create_time", "update_time"), "2026-01-01 00:00:00.000000")
            names = ", ".join(f'"{column}"' for column in row)
            values = ", ".join(f":{column}" for column in row)
            connection.execute(text(f"INSERT INTO modules ({names}) VALUES ({values})"), row)
        command.upgrade(config, "head")
    engine.dispose()

    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with database.read_session() as session:
        problems = {row.name: problem_of(row) for row in session.exec(select(ModuleRow))}
    database.close()

    assert problems == {"one": BinaryProblem("b"), "several": MultiClassProblem(("b", "a"))}


def test_a_migration_that_fails_leaves_the_schema_as_it_was(database: Database) -> None:
    with database.session() as session:
        session.execute(text("CREATE TABLE uploads (x INTEGER)"))  # in the way of the first migration

    with pytest.raises(Exception, match="table uploads already exists"):
        database.migrate()

    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["uploads"]


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    program = (
        "import sys; from modelfoundry.registry.database import Database; import modelfoundry.registry.schema;"
        "print('ready', flush=True); sys.stdin.readline(); Database(sys.argv[1]).migrate()"
    )
    pipe = subprocess.PIPE
    starters = [
        subprocess.Popen([sys.executable, "-c", program, url], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(3)
    ]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()

    errors = [starter.communicate(timeout=120)[1] for starter in starters]

    assert [starter.returncode for starter in starters] == [0] * 3, errors
    database = Database(url)
    with database.engine.connect() as connection:
        assert _tables(connection) == {*METADATA.tables, "alembic_version"}
    database.close()
