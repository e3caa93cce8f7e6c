from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from blob_backends import BlobBackend
from sqlmodel import Session, select

from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.spool import Spool
from modelfoundry.registry.blobs.tables import UploadRow
from modelfoundry.registry.blobs.uploads import Upload, Uploads
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import BlobRow
from modelfoundry.values.resources import BlobRef


@dataclass
class Registry:
    """The blobs of a registry on folders of its own."""

    database: Database
    backend: BlobBackend
    spool: Spool
    work_folder: Path
    blobs: Blobs
    uploads: Uploads
    referenced: set[str]

    def upload(self, data: bytes, media_type: str = "") -> BlobRef:
        """The whole way of a file that is sent at one go."""
        upload = self.uploads.create("default", blob_of(data, media_type))
        if not upload.complete:
            self.send(upload, data)
        return self.uploads.finalize(upload.name)

    def send(self, upload: Upload, data: bytes, offset: int = 0, chunk_bytes: int = 1024 * 1024) -> int:
        """Sends `data[offset:]` in chunks."""
        committed = offset
        for start in range(offset, len(data), chunk_bytes):
            chunk = data[start : start + chunk_bytes]
            committed = self.uploads.append(upload, start, chunk, zlib.crc32(chunk))
        return committed

    def restarted(self) -> Registry:
        """Another registry on the same database, folders and store."""
        spool = Spool(self.work_folder)
        blobs = Blobs(self.database, self.backend.store, (self._refers,))
        return Registry(
            self.database,
            self.backend,
            spool,
            self.work_folder,
            blobs,
            Uploads(self.database, blobs, spool),
            self.referenced,
        )

    def leftovers(self) -> list[str]:
        """Everything that is kept anywhere: rows, spooled files, stored bytes."""
        with self.database.read_session() as session:
            rows = [*session.exec(select(BlobRow)).all(), *session.exec(select(UploadRow)).all()]
        return [str(row) for row in rows] + self.spool.upload_ids() + self.backend.keys()

    def _refers(self, session: Session, digest: str) -> bool:
        return digest in self.referenced


def blob_of(data: bytes, media_type: str = "") -> BlobRef:
    return BlobRef("sha256:" + hashlib.sha256(data).hexdigest(), len(data), media_type)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def registry(database: Database, blob_backend: BlobBackend, tmp_path: Path) -> Registry:
    work_folder = tmp_path / "uploads"
    spool = Spool(work_folder)
    blobs = Blobs(database, blob_backend.store)
    uploads = Uploads(database, blobs, spool)
    return Registry(database, blob_backend, spool, work_folder, blobs, uploads, set()).restarted()
