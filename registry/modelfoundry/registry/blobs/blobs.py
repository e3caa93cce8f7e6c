"""The blobs that the registry has: bytes in the store, and a row for each that was written after them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelfoundry.errors import StorageFull
from modelfoundry.registry.blobs.locks import KeyedLocks
from modelfoundry.registry.blobs.store import BlobStore, missing
from modelfoundry.registry.blobs.tables import BlobRow
from modelfoundry.registry.database import Database

ReferenceCheck = Callable[[Session, str], bool]
"""Says whether some resource refers to a digest, as seen in the given transaction."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What bytes are, never where they lie."""

    digest: str
    size: int
    media_type: str = ""


class Blobs:
    """Finds, reads, keeps and discards blobs.

    All methods block. Digests must be well formed (`names.check_digest`). Every method raises `Unavailable` when the
    database or the store cannot be reached.

    Args:
        database: Where the rows are.
        store: Where the bytes are.
        references: Asked before a blob is discarded; one that says yes keeps it.
    """

    def __init__(self, database: Database, store: BlobStore, references: Sequence[ReferenceCheck] = ()) -> None:
        self._database = database
        self._store = store
        self._references = tuple(references)
        self._locks = KeyedLocks()

    def find(self, digest: str) -> Blob | None:
        """The blob, or None when it was never uploaded or its bytes are gone or cut."""
        with self._database.read_session() as session:
            row = session.get(BlobRow, digest)
        if row is None or self._store.stat(digest) != row.size_bytes:
            return None
        return Blob(row.digest, row.size_bytes, row.media_type)

    def get(self, digest: str) -> Blob:
        """The blob.

        Raises:
            NotFound: it was never uploaded or its bytes are gone.
        """
        blob = self.find(digest)
        if blob is None:
            raise missing(digest)
        return blob

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Those digests, each once and in their order, whose bytes must be uploaded."""
        with self._database.read_session() as session:
            rows = session.exec(select(BlobRow).where(col(BlobRow.digest).in_(digests))).all()
        sizes = {row.digest: row.size_bytes for row in rows}
        return [
            digest
            for digest in dict.fromkeys(digests)
            if digest not in sizes or self._store.stat(digest) != sizes[digest]
        ]

    def read(self, digest: str, offset: int = 0, limit: int = 0) -> Generator[bytes]:
        """Yields a blob's bytes: see `BlobStore.open`, whose errors it raises."""
        with self._database.read_session() as session:
            if session.get(BlobRow, digest) is None:
                raise missing(digest)
        return self._store.open(digest, offset, limit)

    def add_file(self, path: Path, blob: Blob) -> Blob:
        """Verifies a file, puts it into the store and makes it visible; the file must not be written to any more.

        Returns:
            The blob as it is now known: one that was there before keeps its media type.

        Raises:
            DigestMismatch: the file is not what `blob` says.
            StorageFull: there is no room; nothing was kept.
        """
        with self._locks.hold(blob.digest):
            if known := self.find(blob.digest):
                return known
            self._store.put_file(path, blob.digest, blob.size)
            try:
                return self._record(blob)
            except StorageFull:
                self._store.delete(blob.digest)
                raise

    def discard(self, digest: str) -> bool:
        """Removes a blob unless some resource refers to it.

        The row goes first, in the transaction that asked for references: a crash leaves bytes without a row, never a
        row without bytes. Doing it again finishes what a crash interrupted.

        Returns:
            Whether the blob is gone.
        """
        with self._locks.hold(digest):
            if not self._forget(digest):
                return False
            self._store.delete(digest)
            return True

    def check(self) -> None:
        """Raises `Unavailable` unless the store can be used (readiness)."""
        self._store.check()

    def _record(self, blob: Blob) -> Blob:
        # Another registry on the same database may have written the row in between.
        with suppress(IntegrityError), self._database.session() as session:
            if session.get(BlobRow, blob.digest) is None:
                session.add(
                    BlobRow(
                        digest=blob.digest,
                        size_bytes=blob.size,
                        media_type=blob.media_type,
                        create_time=datetime.now(UTC),
                    )
                )
        return self.get(blob.digest)

    def _forget(self, digest: str) -> bool:
        """Deletes the row; False when something refers to it, by a check or by a foreign key."""
        try:
            with self._database.session() as session:
                if any(refers(session, digest) for refers in self._references):
                    return False
                if row := session.get(BlobRow, digest):
                    session.delete(row)
        except IntegrityError:
            return False
        return True
