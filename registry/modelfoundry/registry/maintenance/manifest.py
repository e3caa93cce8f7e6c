"""The manifest of a backup: what belongs to it, by digest. Written last, so that a folder with one is whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from modelfoundry.errors import InvalidField, MalformedFile
from modelfoundry.names import DIGEST
from modelfoundry.values.resources import BlobRef

FORMAT: Final = "modelfoundry.backup"
FORMAT_VERSION: Final = 1
FILE_NAME: Final = "manifest.json"
DATABASE_FILE: Final = "registry.db"
BLOBS_FOLDER: Final = "blobs"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup.

    Attributes:
        schema: Version of the database's schema.
        create_time: When the database was copied, ISO 8601.
        database: Digest and size of the copy of the database.
        blobs: All blobs that the database names.
    """

    schema: str
    create_time: str
    database: BlobRef
    blobs: tuple[BlobRef, ...]

    def write(self, folder: Path) -> None:
        """Makes the backup valid, durably."""
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "modelfoundry": version("modelfoundry"),
            "schema": self.schema,
            "create_time": self.create_time,
            "database": {"digest": self.database.digest, "size_bytes": self.database.size_bytes},
            "blobs": [{"digest": blob.digest, "size_bytes": blob.size_bytes} for blob in self.blobs],
        }
        beside = folder / f"{FILE_NAME}.part"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / FILE_NAME)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        InvalidField: the folder holds no whole backup.
        MalformedFile: its manifest is damaged, or of another version.
    """
    try:
        text = (folder / FILE_NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidField(
            f"{folder} holds no whole backup: {FILE_NAME} is not there",
            field="folder",
            hint="pass the folder of a backup; one that was interrupted is completed by `modelfoundry registry backup`",
        ) from None
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError):
        raise MalformedFile(
            f"{folder / FILE_NAME} is no manifest that this version reads",
            field="folder",
            hint="restore with the version of ModelFoundry that made the backup, or take another backup",
        ) from None


def file_blob(path: Path) -> BlobRef:
    """Digest and size of a file."""
    with path.open("rb") as file:
        return BlobRef("sha256:" + hashlib.file_digest(file, "sha256").hexdigest(), file.tell())


def _parsed(content: Any) -> Manifest:
    if (content["format"], content["format_version"]) != (FORMAT, FORMAT_VERSION):
        raise ValueError("another format")
    return Manifest(
        schema=str(content["schema"]),
        create_time=str(content["create_time"]),
        database=_blob(content["database"]),
        blobs=tuple(_blobs(content["blobs"])),
    )


def _blobs(entries: Any) -> Iterator[BlobRef]:
    for entry in entries:
        yield _blob(entry)


def _blob(entry: Any) -> BlobRef:
    if not DIGEST.fullmatch(entry["digest"]):
        raise ValueError("no digest")
    return BlobRef(entry["digest"], int(entry["size_bytes"]))
