"""The blobs that the registry has: bytes in the store, and a row for each that was written after them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, func, true, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelfoundry.errors import StorageFull
from modelfoundry.registry.blobs.holds import is_held
from modelfoundry.registry.blobs.locks import KeyedLocks
from modelfoundry.registry.blobs.store import BlobStore, HashedFile, StoredObject, missing
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import BlobRow
from modelfoundry.values.resources import BlobRef

_PAGE: Final = 500
ReferenceCheck = Callable[[Session, str], bool]
"""Says whether some resource refers to a digest, as seen in the given transaction."""


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

    def find(self, digest: str) -> BlobRef | None:
        """The blob, or None when it was never uploaded or its bytes are gone or cut."""
        with self._database.read_session() as session:
            row = session.get(BlobRow, digest)
        if row is None or self._store.stat(digest) != row.size_bytes:
            return None
        return BlobRef(row.digest, row.size_bytes, row.media_type)

    def exists(self, digest: str) -> bool:
        """Whether the blob is there, with all its bytes."""
        return self.find(digest) is not None

    def get(self, digest: str) -> BlobRef:
        """The blob.

        Raises:
            NotFound: it was never uploaded or its bytes are gone.
        """
        blob = self.find(digest)
        if blob is None:
            raise missing(digest)
        return blob

    def touch(self, digest: str) -> BlobRef | None:
        """Like `find`, for somebody who goes on to name the blob: garbage collection leaves it alone for a while."""
        with self._database.session() as session:
            _touch(session, [digest])
        return self.find(digest)

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Those digests, each once and in their order, whose bytes must be uploaded; the others are touched."""
        with self._database.session() as session:
            _touch(session, digests)
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

    def add_file(self, path: Path, blob: BlobRef, hashed: HashedFile | None = None) -> BlobRef:
        """Verifies a file, puts it into the store and makes it visible; the file must not be written to any more.

        Args:
            path: The file.
            blob: What it is to be.
            hashed: See `BlobStore.put_file`.

        Returns:
            The blob as it is now known: one that was there before keeps its media type.

        Raises:
            DigestMismatch: the file is not what `blob` says.
            StorageFull: there is no room; nothing was kept.
        """
        return self.add(blob, lambda: self._store.put_file(path, blob.digest, blob.size_bytes, hashed))

    def add(self, blob: BlobRef, put: Callable[[], None]) -> BlobRef:
        """Makes a blob visible whose bytes `put` verifies and brings into the store; not called when they are there.

        Returns:
            As `add_file`.

        Raises:
            StorageFull: there is no room; nothing was kept. And what `put` raises, having kept nothing.
        """
        with self._locks.hold(blob.digest):
            if known := self.touch(blob.digest):
                return known
            put()
            try:
                return self._record(blob)
            except StorageFull:
                self._store.delete(blob.digest)
                raise

    def discard(self, digest: str, *, untouched_since: datetime | None = None) -> bool:
        """Removes a blob unless some resource refers to it or a backup holds all blobs.

        The row goes first, in the transaction that asked for references: a crash leaves bytes without a row, never a
        row without bytes. Doing it again finishes what a crash interrupted.

        Args:
            digest: Which blob.
            untouched_since: Keep a blob that was touched after that.

        Returns:
            Whether the blob is gone.
        """
        with self._locks.hold(digest):
            if not self._forget(digest, untouched_since):
                return False
            self._store.delete(digest)
            return True

    def unused(self, untouched_since: datetime, named: Collection[str]) -> Iterator[BlobRef]:
        """Blobs that nothing refers to and nobody touched after a moment, as they stand when each is looked at.

        Args:
            untouched_since: That moment.
            named: Digests that count as referred to.
        """
        for rows in self._pages(func.coalesce(BlobRow.touch_time, BlobRow.create_time) <= untouched_since):
            with self._database.read_session() as session:
                found = [row for row in rows if row.digest not in named and not self._is_used(session, row.digest)]
            yield from (BlobRef(row.digest, row.size_bytes, row.media_type) for row in found)

    def all(self) -> Iterator[BlobRef]:
        """Every blob that has a row, whether or not its bytes are there."""
        for rows in self._pages(true()):
            yield from (BlobRef(row.digest, row.size_bytes, row.media_type) for row in rows)

    def has_row(self, digest: str) -> bool:
        """Whether a blob is known, be its bytes there or not."""
        with self._database.read_session() as session:
            return session.get(BlobRow, digest) is not None

    def total(self) -> tuple[int, int]:
        """How many blobs have a row, and how many bytes they have."""
        with self._database.read_session() as session:
            count, size = session.exec(select(func.count(), func.sum(BlobRow.size_bytes)).select_from(BlobRow)).one()
        return count, int(size or 0)

    def stray_objects(self) -> Iterator[StoredObject]:
        """What lies in the store without a row, except what is being put there or deleted by this process."""
        stored = self._store.objects()
        while objects := list(islice(stored, _PAGE)):
            digests = [found.digest for found in objects if found.digest]
            with self._database.read_session() as session:
                known = set(session.exec(select(BlobRow.digest).where(col(BlobRow.digest).in_(digests))).all())
            for found in objects:
                if found.digest is None or (found.digest not in known and self._is_stray(found.digest)):
                    yield found

    def discard_stray(self, digest: str) -> bool:
        """Removes bytes that have no row; returns whether there were any."""
        with self._locks.hold(digest), self._database.read_session() as session:
            if session.get(BlobRow, digest) is not None or is_held(session, datetime.now(UTC)):
                return False
            there = self._store.stat(digest) is not None
            self._store.delete(digest)
            return there

    def check(self) -> None:
        """Raises `Unavailable` unless the store can be used (readiness)."""
        self._store.check()

    def _record(self, blob: BlobRef) -> BlobRef:
        # Another registry on the same database may have written the row in between.
        with suppress(IntegrityError), self._database.session() as session:
            if not _touch(session, [blob.digest]):
                now = datetime.now(UTC)
                session.add(
                    BlobRow(
                        digest=blob.digest,
                        size_bytes=blob.size_bytes,
                        media_type=blob.media_type,
                        create_time=now,
                        touch_time=now,
                    )
                )
        return self.get(blob.digest)

    def _forget(self, digest: str, untouched_since: datetime | None) -> bool:
        """Deletes the row; False when something refers to it, by a check or by a foreign key, or it may not go yet."""
        try:
            with self._database.session() as session:
                if is_held(session, datetime.now(UTC)) or self._is_used(session, digest):
                    return False
                row = session.get(BlobRow, digest, with_for_update=True)
                if (
                    row is not None
                    and untouched_since is not None
                    and (row.touch_time or row.create_time) > untouched_since
                ):
                    return False
                if row is not None:
                    session.delete(row)
        except IntegrityError:
            return False
        return True

    def _is_used(self, session: Session, digest: str) -> bool:
        return any(refers(session, digest) for refers in self._references)

    def _is_stray(self, digest: str) -> bool:
        # Whoever puts or deletes it holds the lock until row and bytes agree.
        with self._locks.hold(digest), self._database.read_session() as session:
            return session.get(BlobRow, digest) is None and self._store.stat(digest) is not None

    def _pages(self, condition: ColumnElement[bool]) -> Iterator[Sequence[BlobRow]]:
        after = ""
        while True:
            query = select(BlobRow).where(condition, col(BlobRow.digest) > after).order_by(col(BlobRow.digest))
            with self._database.read_session() as session:
                rows = session.exec(query.limit(_PAGE)).all()
            if not rows:
                return
            yield rows
            after = rows[-1].digest


def _touch(session: Session, digests: Sequence[str]) -> bool:
    """Notes that somebody asked for blobs; returns whether any of them has a row."""
    noted = update(BlobRow).where(col(BlobRow.digest).in_(digests)).values(touch_time=datetime.now(UTC))
    return bool(session.connection().execute(noted).rowcount)
