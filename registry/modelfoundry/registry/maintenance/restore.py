"""Makes a registry from a backup: blobs first, the database last, so that one that was killed is no registry yet."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from modelfoundry.errors import AlreadyExists, CorruptBlob, InvalidField
from modelfoundry.registry.blobs.local_store import LocalBlobStore, disk_errors
from modelfoundry.registry.database import known_revisions
from modelfoundry.registry.maintenance.backup import Copied, copy_blob, refuse_servers
from modelfoundry.registry.maintenance.manifest import (
    BLOBS_FOLDER,
    DATABASE_FILE,
    Manifest,
    file_blob,
    read_manifest,
)
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.registry.storage import open_blob_store


def restore(settings: RegistrySettings, folder: Path) -> Copied:
    """Restores a backup where there is no registry; blobs that the store has are not copied again.

    Raises:
        InvalidField: the folder holds no whole backup or a newer one, or the database is not SQLite.
        MalformedFile: the manifest is damaged.
        AlreadyExists: there is a database.
        CorruptBlob, NotFound: a file of the backup is damaged or gone; there is no database yet.
        StorageFull, Unavailable: the folder or the store cannot be used.
    """
    path = refuse_servers(settings, "restore")
    manifest = read_manifest(folder)
    _check(manifest, folder, path)
    source, target = LocalBlobStore(folder / BLOBS_FOLDER), open_blob_store(settings)
    with disk_errors(settings.spool_folder):
        settings.spool_folder.mkdir(parents=True, exist_ok=True)
    scratch = settings.spool_folder / "restored.part"
    copied = sum(copy_blob(source, target, blob, scratch) for blob in manifest.blobs)
    _place(folder / DATABASE_FILE, path)
    return Copied(len(manifest.blobs), sum(blob.size_bytes for blob in manifest.blobs), copied)


def _check(manifest: Manifest, folder: Path, path: Path) -> None:
    if path.exists():
        raise _occupied(path)
    if manifest.schema not in known_revisions():
        raise InvalidField(
            f"the backup has schema {manifest.schema}, which this version does not know",
            field="folder",
            hint="restore with the version of ModelFoundry that made it, or a newer one",
        )
    database = folder / DATABASE_FILE
    if not database.is_file() or file_blob(database) != manifest.database:
        raise CorruptBlob(
            f"{database} is not the file that the manifest names",
            hint="take another backup: this one was changed or damaged",
            metadata={"digest": manifest.database.digest},
        )


def _place(database: Path, path: Path) -> None:
    """Puts the database into its place, wholly or not at all, and never over another."""
    beside = path.with_name(f"{path.name}.part")
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(database, beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            raise _occupied(path) from None
        finally:
            beside.unlink()


def _occupied(path: Path) -> AlreadyExists:
    return AlreadyExists(
        f"there is a database already: {path}",
        field="database_url",
        hint="set MODELFOUNDRY_HOME, or MODELFOUNDRY_REGISTRY_DATABASE_URL, to a place without one",
    )
