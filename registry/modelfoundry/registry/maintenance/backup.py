"""Backups: a copy of the database as it is at one moment, and of every blob that it names, while the registry runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelfoundry.errors import CorruptBlob, InvalidField, NotFound
from modelfoundry.registry.blobs.holds import Hold
from modelfoundry.registry.blobs.local_store import LocalBlobStore, disk_errors
from modelfoundry.registry.blobs.store import BlobStore
from modelfoundry.registry.database import Database, known_revisions
from modelfoundry.registry.maintenance.manifest import (
    BLOBS_FOLDER,
    DATABASE_FILE,
    FILE_NAME,
    Manifest,
    file_blob,
)
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.registry.storage import open_blob_store
from modelfoundry.values.resources import BlobRef


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup or a restored registry holds.

    Attributes:
        blobs: How many blobs.
        size: Bytes of them.
        copied: How many were copied now; the others were there.
    """

    blobs: int
    size: int
    copied: int


def back_up(settings: RegistrySettings, folder: Path) -> Copied:
    """Makes a backup, or brings one up to date: blobs that it has are not copied again.

    No blob is removed from the registry meanwhile. Killed in the middle, it leaves a folder without a manifest, which
    the next call completes.

    Raises:
        InvalidField: the database is not SQLite, its schema is of another version, or the folder holds something else.
        CorruptBlob: blobs are damaged or gone; everything else was copied, and the backup is not valid.
        StorageFull, Unavailable: the folder, the database or the store cannot be used.
    """
    refuse_servers(settings, "backup")
    _prepare(folder)
    database = Database(settings.database)
    try:
        if database.revision() != known_revisions()[0]:
            raise InvalidField(
                f"the schema of the database is {database.revision() or 'not there'}, not {known_revisions()[0]}",
                field="database_url",
                hint="back up with the version that the registry runs; look at MODELFOUNDRY_REGISTRY_DATABASE_URL",
            )
        hold = Hold(database, "backup")
        hold.take()
        try:
            return _copy(database, open_blob_store(settings), folder, hold)
        finally:
            hold.release()
    finally:
        database.close()


def refuse_servers(settings: RegistrySettings, what: str) -> Path:
    """The file of the database.

    Raises:
        InvalidField: the database is none that is a file.
    """
    url = settings.database
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise InvalidField(
            f"{what} copies SQLite databases, and this registry is on {url.get_backend_name()}",
            field="database_url",
            hint="use pg_dump and pg_restore for the database: dump first, then copy the folder or bucket of "
            "the blobs, with MODELFOUNDRY_REGISTRY_GC_INTERVAL_HOURS=0 meanwhile",
        )
    return Path(url.database)


def copy_blob(source: BlobStore, target: BlobStore, blob: BlobRef, scratch: Path) -> bool:
    """Copies a blob, verified on both sides; returns False when the target has it.

    Raises:
        NotFound, CorruptBlob: the source lacks it, or has other bytes.
    """
    if target.stat(blob.digest) == blob.size_bytes:
        return False
    with disk_errors(scratch.parent):
        try:
            with closing(source.open(blob.digest)) as chunks, scratch.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
            target.put_file(scratch, blob.digest, blob.size_bytes)
        finally:
            scratch.unlink(missing_ok=True)
    return True


def _prepare(folder: Path) -> None:
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    if names and BLOBS_FOLDER not in names:
        raise InvalidField(
            f"{folder} holds something else than a backup", field="folder", hint="pass a new or an empty folder"
        )


def _copy(database: Database, source: BlobStore, folder: Path, hold: Hold) -> Copied:
    target = LocalBlobStore(folder / BLOBS_FOLDER)
    with disk_errors(folder):
        (folder / FILE_NAME).unlink(missing_ok=True)
    create_time = datetime.now(UTC).isoformat(timespec="seconds")
    blobs = _snapshot(database, folder / DATABASE_FILE)
    copied = 0
    damaged: list[str] = []
    for blob in blobs:
        hold.renew()
        try:
            copied += copy_blob(source, target, blob, folder / "blob.part")
        except (CorruptBlob, NotFound):
            damaged.append(blob.digest)
    if damaged:
        raise CorruptBlob(
            f"{len(damaged)} of {len(blobs)} blobs are damaged or gone, {damaged[0]} for one: the backup is not valid",
            hint="`modelfoundry registry fsck` names them all and what is made of them; upload these files again, "
            "or remove those resources, collect garbage, and repeat the backup",
            metadata={"digest": damaged[0]},
        )
    with disk_errors(folder):
        Manifest(database.revision(), create_time, file_blob(folder / DATABASE_FILE), tuple(blobs)).write(folder)
    return Copied(len(blobs), sum(blob.size_bytes for blob in blobs), copied)


def _snapshot(database: Database, path: Path) -> list[BlobRef]:
    """Copies the database as it is at one moment (SQLite's online backup); returns the blobs that it names."""
    with disk_errors(path.parent):
        path.unlink(missing_ok=True)
    with closing(database.engine.raw_connection()) as source, closing(sqlite3.connect(path)) as copy:
        connection = source.driver_connection
        if not isinstance(connection, sqlite3.Connection):
            raise TypeError("not a connection to SQLite")
        connection.backup(copy)
        with copy:
            copy.execute("DELETE FROM blob_holds")
        # One file, complete without those beside it; the restored registry sets its own mode.
        copy.execute("PRAGMA journal_mode = DELETE")
        return [BlobRef(digest, size) for digest, size in copy.execute("SELECT digest, size_bytes FROM blobs")]
