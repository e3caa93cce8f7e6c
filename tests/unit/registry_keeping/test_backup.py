"""Backups that are interrupted, damaged, of another kind or in the way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelfoundry.errors import AlreadyExists, CorruptBlob, InvalidField
from modelfoundry.registry.blobs.store import store_key
from modelfoundry.registry.database import Database
from modelfoundry.registry.maintenance import backup
from modelfoundry.registry.maintenance.backup import Copied, back_up
from modelfoundry.registry.maintenance.restore import restore
from modelfoundry.registry.settings import RegistrySettings


def settings_in(folder: Path, blobs: Path | None = None) -> RegistrySettings:
    return RegistrySettings(
        database_url=SecretStr(f"sqlite:///{folder / 'registry.db'}"),
        folder=blobs or folder / "blobs",
        spool_folder=folder / "spool",
    )


@pytest.fixture
def keeping(local_keeping: Any) -> Any:
    return local_keeping


@pytest.fixture
def settings(keeping: Any) -> RegistrySettings:
    return settings_in(keeping.folder, keeping.backend.folder)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture
def elsewhere(tmp_path: Path) -> RegistrySettings:
    return settings_in(tmp_path / "elsewhere")


def test_garbage_collection_waits_for_a_backup(
    keeping: Any, settings: RegistrySettings, copy: Path, elsewhere: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphans = [keeping.add(b"orphan %d" % number, hours_ago=48) for number in range(3)]
    copy_blob = backup.copy_blob

    def somebody_cleans_up(*arguments: Any) -> bool:
        assert not any(keeping.blobs.discard(digest) for digest in orphans)
        return copy_blob(*arguments)

    monkeypatch.setattr(backup, "copy_blob", somebody_cleans_up)
    assert back_up(settings, copy) == Copied(3, 24, 3)
    assert restore(elsewhere, copy) == Copied(3, 24, 3)
    assert keeping.collector.collect(min_age=timedelta(0)).removed_blobs == 3


def test_an_interrupted_backup_is_not_valid_and_goes_on(
    keeping: Any, settings: RegistrySettings, copy: Path, elsewhere: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        keeping.add(b"blob %d" % number)
    copy_blob = backup.copy_blob
    left = [True, True, False]

    def killed(*arguments: Any) -> bool:
        if not left.pop(0):
            raise KeyboardInterrupt
        return copy_blob(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(backup, "copy_blob", killed)
        with pytest.raises(KeyboardInterrupt):
            back_up(settings, copy)
    with pytest.raises(InvalidField, match="no whole backup"):
        restore(elsewhere, copy)
    assert back_up(settings, copy) == Copied(4, 24, 2)
    assert restore(elsewhere, copy).copied == 4


def test_a_damaged_backup_makes_no_registry(
    keeping: Any, settings: RegistrySettings, copy: Path, elsewhere: RegistrySettings
) -> None:
    digest = keeping.add(b"flipped")
    back_up(settings, copy)
    stored = copy / "blobs" / store_key(digest)
    stored.unlink()
    stored.write_bytes(b"flIpped")
    with pytest.raises(CorruptBlob):
        restore(elsewhere, copy)
    assert not Path(elsewhere.folder.parent, "registry.db").exists()

    stored.write_bytes(b"flipped")
    with (copy / "registry.db").open("ab") as database:
        database.write(b"x")
    with pytest.raises(CorruptBlob, match=r"registry\.db"):
        restore(elsewhere, copy)


def test_a_backup_of_damaged_blobs_names_them_and_is_not_valid(
    keeping: Any, settings: RegistrySettings, copy: Path, elsewhere: RegistrySettings
) -> None:
    gone = keeping.add(b"gone", used=True)
    keeping.backend.vanish(gone)
    with pytest.raises(CorruptBlob, match=gone):
        back_up(settings, copy)
    with pytest.raises(InvalidField, match="no whole backup"):
        restore(elsewhere, copy)


def test_what_is_there_is_never_overwritten(keeping: Any, settings: RegistrySettings, copy: Path) -> None:
    back_up(settings, copy)
    with pytest.raises(AlreadyExists, match="a database already"):
        restore(settings, copy)
    notes = keeping.folder / "notes"
    notes.mkdir()
    (notes / "today.txt").touch()
    with pytest.raises(InvalidField, match="something else"):
        back_up(settings, notes)


def test_a_database_server_is_for_its_own_tools(copy: Path) -> None:
    server = RegistrySettings(database_url=SecretStr("postgresql+psycopg://user:secret@host/name"))
    for call in (back_up, restore):
        with pytest.raises(InvalidField) as caught:
            call(server, copy)
        assert "pg_dump" in caught.value.hint
        assert "secret" not in str(caught.value)


def test_a_database_of_another_version_is_refused(tmp_path: Path, copy: Path) -> None:
    settings = settings_in(tmp_path)
    database = Database(settings.database_url.get_secret_value())
    database.check()
    database.close()
    with pytest.raises(InvalidField, match="schema"):
        back_up(settings, copy)
