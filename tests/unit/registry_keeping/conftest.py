from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blob_backends import BlobBackend
from sqlmodel import Session

from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.tables import OperationRow
from modelfoundry.registry.maintenance.garbage import GarbageCollector
from modelfoundry.registry.records.tables import BlobRow
from modelfoundry.values.resources import BlobRef


@dataclass
class Keeping:
    """Blobs of a registry, and what refers to them."""

    database: Database
    backend: BlobBackend
    folder: Path
    used: set[str] = field(default_factory=set)
    blobs: Blobs = field(init=False)

    def __post_init__(self) -> None:
        self.blobs = Blobs(self.database, self.backend.store, (self._refers,))
        self.collector = GarbageCollector(self.database, self.blobs, timedelta(hours=24))

    def add(self, data: bytes, *, used: bool = False, hours_ago: float = 0) -> str:
        """Adds a blob; returns its digest."""
        blob = BlobRef("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
        path = self.folder / "file"
        path.write_bytes(data)
        self.blobs.add_file(path, blob)
        path.unlink()
        if used:
            self.used.add(blob.digest)
        with self.database.session() as session:
            row = session.get_one(BlobRow, blob.digest)
            row.create_time = row.touch_time = datetime.now(UTC) - timedelta(hours=hours_ago)
        return blob.digest

    def forget_row(self, digest: str) -> None:
        """Leaves bytes without a row, as a crash does."""
        with self.database.session() as session:
            session.delete(session.get_one(BlobRow, digest))

    def finish_job(self, response: bytes) -> None:
        """A job that is done and answered."""
        now = datetime.now(UTC)
        with self.database.session() as session:
            session.add(
                OperationRow(
                    project="default", id="j", kind="export", state="succeeded", request=b"", response=response,
                    max_attempts=1, create_time=now, update_time=now,
                )
            )  # fmt: skip

    def there(self, *digests: str) -> list[bool]:
        return [self.blobs.find(digest) is not None for digest in digests]

    def _refers(self, session: Session, digest: str) -> bool:
        return digest in self.used


@pytest.fixture
def keeping(blob_backend: BlobBackend, database_url: str, tmp_path: Path) -> Iterator[Keeping]:
    database = Database(database_url)
    yield Keeping(database, blob_backend, tmp_path)
    database.close()
