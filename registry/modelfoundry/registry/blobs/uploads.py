"""Uploads that can be interrupted: announced in the database, gathered in the spool, visible once verified."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import IntegrityError

from modelfoundry.errors import (
    DigestMismatch,
    InvalidField,
    RequestIdReused,
    StorageFull,
    UploadIncomplete,
)
from modelfoundry.names import check_request_id
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.locks import KeyedLocks
from modelfoundry.registry.blobs.minio_staging import LARGEST_DIRECT_BYTES, DirectUrl, MinioStaging, StagedObject
from modelfoundry.registry.blobs.running_hashes import RunningHashes
from modelfoundry.registry.blobs.spool import Spool
from modelfoundry.registry.blobs.tables import UploadRow
from modelfoundry.registry.blobs.upload import (
    LIFETIME,
    Upload,
    check_announcement,
    check_chunk,
    unknown_upload,
    wrong_offset,
)
from modelfoundry.registry.blobs.upload_rows import UploadRows
from modelfoundry.registry.database import Database
from modelfoundry.values.resources import BlobRef

LARGEST_BLOB_BYTES: Final = 64 * 1024**3


class Uploads:
    """Opens, fills, finishes and discards uploads.

    All methods block; all may be called from several threads. Every method raises `Unavailable` when the database, the
    spool or the store cannot be reached.

    Args:
        database: Where uploads are announced.
        blobs: Where they end.
        spool: Where their bytes gather.
        largest_bytes: Size of the largest blob that is taken.
        staging: Where clients may put bytes into the store themselves; None: nowhere.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        spool: Spool,
        *,
        largest_bytes: int = LARGEST_BLOB_BYTES,
        staging: MinioStaging | None = None,
    ) -> None:
        self._rows = UploadRows(database)
        self._blobs = blobs
        self._spool = spool
        self._largest_bytes = largest_bytes
        self._staging = staging
        self._locks = KeyedLocks()
        self._hashes = RunningHashes()

    def create(self, project: str, blob: BlobRef, request_id: str = "") -> Upload:
        """Opens an upload; it is complete at once when the store has the blob.

        Args:
            project: Id of the project.
            blob: What will come.
            request_id: UUID4 or empty; a repeated call with the same id gets what the first one made.

        Raises:
            InvalidField: a field is malformed, or the digest is stored with another size.
            RequestIdReused: the id was used for another blob.
            StorageFull: the blob is larger than the limit or than the free space.
        """
        check_announcement(blob)
        request_id = check_request_id(request_id)
        if request_id and (row := self._rows.of_request(project, request_id)):
            return self._repeated(row, blob)
        known = self._blobs.touch(blob.digest)
        row = UploadRow(
            id=f"u-{uuid.uuid4().hex}",
            project=project,
            digest=blob.digest,
            size_bytes=blob.size_bytes,
            media_type=blob.media_type,
            request_id=request_id or None,
            create_time=datetime.now(UTC),
        )
        if known is None:
            self._check_room(blob)
            self._spool.create(row.id)
        elif known.size_bytes != blob.size_bytes:
            raise InvalidField(
                f"upload.blob.size_bytes: {blob.size_bytes} were announced, but {blob.digest} has {known.size_bytes}",
                field="upload.blob.size_bytes",
                hint="take digest and size from the same file",
            )
        return self._announce(row, blob)

    def get(self, name: str) -> Upload:
        """The upload as it stands.

        Raises:
            InvalidField: `name` is malformed.
            NotFound: there is no such upload, or it was discarded.
        """
        return self._snapshot(self._rows.get(name))

    def append(self, upload: Upload, offset: int, data: bytes, crc32: int) -> int:
        """Adds a chunk, wholly or not at all.

        Args:
            upload: Which, as `get` returned it at any time.
            offset: Where the chunk begins.
            data: At most 2 MiB.
            crc32: CRC-32 of `data`.

        Returns:
            Bytes committed now.

        Raises:
            TooLarge: the chunk is larger than 2 MiB.
            DigestMismatch: the checksum is not that of the chunk, which was not added.
            WrongOffset: the upload does not end at `offset`.
            InvalidField: the chunk goes past the announced size.
            StorageFull: the disk is full; the upload was discarded.
            NotFound: the upload was discarded.
        """
        check_chunk(data, crc32)
        with self._locks.hold(upload.id):
            committed = upload.blob.size_bytes if upload.complete else self._spool.size(upload.id)
            if committed is None:
                raise unknown_upload(upload.name)
            if offset != committed:
                raise wrong_offset(offset, committed)
            if offset + len(data) > upload.blob.size_bytes:
                raise InvalidField(
                    f"data: the chunk ends at {offset + len(data)}, but {upload.blob.size_bytes} bytes were announced",
                    field="data",
                    hint="announce the size that the file has, in a new upload",
                )
            if data:
                self._write(upload, offset, data)
            return offset + len(data)

    def direct_url(self, name: str) -> DirectUrl | None:
        """Where a client can put the bytes of an upload into the store itself; None where it cannot, or need not.

        Raises:
            InvalidField: `name` is malformed.
            NotFound: there is no such upload, or it was discarded.
        """
        upload = self.get(name)
        if self._staging is None or upload.complete or upload.blob.size_bytes > LARGEST_DIRECT_BYTES:
            return None
        return self._staging.upload_url(upload.id)

    def finalize(self, name: str) -> BlobRef:
        """Verifies the bytes and makes the blob visible; a repeated call gets the same answer.

        Raises:
            InvalidField: `name` is malformed.
            NotFound: there is no such upload, or it was discarded.
            UploadIncomplete: bytes are missing.
            DigestMismatch: the bytes are not those announced; the upload was discarded.
            StorageFull: the store has no room; the upload was discarded.
        """
        row = self._rows.get(name)
        with self._locks.hold(row.id):
            blob = self._blobs.touch(row.digest) or self._store(row, name)
            self._remove_bytes(row.id)
            return blob

    def cancel(self, name: str) -> None:
        """Discards an upload; a blob that it completed stays.

        Raises:
            InvalidField: `name` is malformed.
            NotFound: there is no such upload, or it was discarded.
        """
        row = self._rows.get(name)
        with self._locks.hold(row.id):
            self._discard(row.id)

    def discard_expired(self, now: datetime | None = None) -> int:
        """Discards uploads to which nothing came for 24 hours, and bytes that belong to none; returns how many."""
        before = (now or datetime.now(UTC)) - LIFETIME
        staged = {found.upload_id: found.modified for found in self._staged()}
        known = {row.id for row in self._rows.announced_since(before)}
        old = {row.id for row in self._rows.announced_before(before)}
        discarded = 0
        for upload_id in old | ({*self._spool.upload_ids(), *staged} - known):
            with self._locks.hold(upload_id):
                writes = [moment for moment in (self._spool.last_write(upload_id), staged.get(upload_id)) if moment]
                if all(moment < before for moment in writes):
                    self._discard(upload_id)
                    discarded += 1
        return discarded

    def abandoned(self, before: datetime) -> list[StagedObject]:
        """What clients put into the store before a moment for uploads that are complete, discarded or expired."""
        staged = [found for found in self._staged() if found.modified < before]
        open_since = datetime.now(UTC) - LIFETIME
        opened = self._rows.announced_since(open_since)
        waiting = {row.id for row in opened if self._blobs.find(row.digest) is None}
        return [found for found in staged if found.upload_id not in waiting]

    def discard_abandoned(self, upload_id: str) -> None:
        """Removes what was put into the store for an upload that is over."""
        if self._staging is not None:
            with self._locks.hold(upload_id):
                self._staging.remove(upload_id)

    def _staged(self) -> Iterable[StagedObject]:
        return () if self._staging is None else self._staging.objects()

    def _announce(self, row: UploadRow, blob: BlobRef) -> Upload:
        try:
            self._rows.add(row)
        except IntegrityError:
            # The same request arrived twice at the same time, and the other one was first.
            self._spool.remove(row.id)
            first = self._rows.of_request(row.project, row.request_id or "")
            if first is None:
                raise
            return self._repeated(first, blob)
        except BaseException:
            self._spool.remove(row.id)
            raise
        return self._snapshot(row)

    def _repeated(self, row: UploadRow, blob: BlobRef) -> Upload:
        if (row.digest, row.size_bytes, row.media_type) != (blob.digest, blob.size_bytes, blob.media_type):
            raise RequestIdReused(
                f"request_id: {row.request_id} was used before for another upload",
                field="request_id",
                hint="make a new UUID4 for each new request",
            )
        if self._blobs.touch(row.digest) is None:
            self._spool.create(row.id)
        return self._snapshot(row)

    def _snapshot(self, row: UploadRow) -> Upload:
        stored = self._blobs.find(row.digest)
        committed = stored.size_bytes if stored else self._spool.size(row.id)
        name = f"projects/{row.project}/uploads/{row.id}"
        if committed is None:
            raise unknown_upload(name)
        last = max(row.create_time, self._spool.last_write(row.id) or row.create_time)
        return Upload(
            project=row.project,
            id=row.id,
            blob=stored or BlobRef(row.digest, row.size_bytes, row.media_type),
            committed_bytes=committed,
            complete=stored is not None,
            expire_time=last + LIFETIME,
        )

    def _check_room(self, blob: BlobRef) -> None:
        limit, reason = self._largest_bytes, "this registry takes at most"
        hint = "raise MODELFOUNDRY_REGISTRY_LARGEST_BLOB_BYTES, or split the file"
        free = self._spool.free_bytes()
        if free < limit:
            limit, reason = free, "the registry's disk has room for"
            hint = "free some space or delete modules that nobody needs, then upload again"
        if blob.size_bytes > limit:
            raise StorageFull(
                f"upload.blob.size_bytes: the blob has {blob.size_bytes} bytes, {reason} {limit}",
                field="upload.blob.size_bytes",
                hint=hint,
            )

    def _write(self, upload: Upload, offset: int, data: bytes) -> None:
        running = self._hashes.take(upload.id, offset)
        try:
            found = self._spool.append(upload.id, data)
        except StorageFull:
            self._discard(upload.id)
            raise
        if running is not None:
            self._hashes.put(upload.id, running, data, found)

    def _store(self, row: UploadRow, name: str) -> BlobRef:
        committed = self._spool.size(row.id)
        if committed is None:
            raise unknown_upload(name)
        if committed < row.size_bytes and self._staging is not None and self._staging.find(row.id):
            return self._adopt(row, self._staging)
        if committed < row.size_bytes:
            raise UploadIncomplete(
                f"{name} has {committed} of {row.size_bytes} bytes",
                field="name",
                hint=f"send the rest, from offset {committed} on",
                metadata={"committed_bytes": str(committed)},
            )
        blob, hashed = BlobRef(row.digest, row.size_bytes, row.media_type), self._hashes.finished(row.id)
        try:
            return self._blobs.add_file(self._spool.path(row.id), blob, hashed)
        except (DigestMismatch, StorageFull):
            self._discard(row.id)
            raise

    def _adopt(self, row: UploadRow, staging: MinioStaging) -> BlobRef:
        blob = BlobRef(row.digest, row.size_bytes, row.media_type)
        try:
            return self._blobs.add(blob, lambda: staging.adopt(row.id, blob.digest, blob.size_bytes))
        except (DigestMismatch, StorageFull):
            self._discard(row.id)
            raise

    def _remove_bytes(self, upload_id: str) -> None:
        self._hashes.forget(upload_id)
        self._spool.remove(upload_id)
        if self._staging is not None:
            self._staging.remove(upload_id)

    def _discard(self, upload_id: str) -> None:
        # The file goes first: on a full disk, that is what makes room for the database to write.
        self._remove_bytes(upload_id)
        self._rows.remove(upload_id)
