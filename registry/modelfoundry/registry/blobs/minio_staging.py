"""Addresses at which clients reach the S3 server themselves, and the place where what they put there waits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from minio.commonconfig import CopySource
from minio.error import S3Error

from modelfoundry.errors import DigestMismatch, UploadIncomplete
from modelfoundry.registry.blobs.s3_server import ABSENT, S3Server
from modelfoundry.registry.blobs.store import CHUNK_BYTES, STAGING_PREFIX, store_key

LARGEST_DIRECT_BYTES: Final = 5 * 1024**3
"""What S3 servers take in one request, and copy in one."""
_COPY_SECONDS: Final = 600.0
_CHANGED: Final = "PreconditionFailed"


@dataclass(frozen=True, slots=True)
class StagedObject:
    """What a client put into the store and nobody verified yet.

    Attributes:
        upload_id: Which upload it is for.
        size: Bytes.
        modified: When it was put there.
    """

    upload_id: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class DirectUrl:
    """An address that lets its holder read or write one object, until it expires."""

    url: str
    expire_time: datetime


class MinioStaging:
    """Signs addresses, and makes blobs of what was put at them.

    Who has an address to write to may use it again until it expires: what lies there can change at any time. It is
    therefore copied only in the state in which it was read and found right, which the server checks by its ETag.

    Args:
        server: As the registry reaches it.
        public: As clients reach it: the signature is good for this address only.
        lifetime: How long an address is good, 1 second to 7 days.
    """

    def __init__(self, server: S3Server, public: S3Server, lifetime: timedelta) -> None:
        self._server = server
        self._lifetime = lifetime
        self._signer = public.client(read_seconds=5)  # asks nobody: it knows the region
        self._questions = server.client(read_seconds=5)
        self._transfers = server.client(read_seconds=30)
        self._copies = server.client(read_seconds=_COPY_SECONDS)

    def download_url(self, digest: str) -> DirectUrl:
        """Where the bytes of a stored blob can be read."""
        expire_time = datetime.now(UTC) + self._lifetime
        url = self._signer.presigned_get_object(self._server.bucket, store_key(digest), self._lifetime)
        return DirectUrl(url, expire_time)

    def upload_url(self, upload_id: str) -> DirectUrl:
        """Where the bytes of an upload can be put, with one PUT."""
        expire_time = datetime.now(UTC) + self._lifetime
        url = self._signer.presigned_put_object(self._server.bucket, _key(upload_id), self._lifetime)
        return DirectUrl(url, expire_time)

    def find(self, upload_id: str) -> StagedObject | None:
        """What was put there for an upload, if anything.

        Raises:
            Unavailable: the server does not answer.
        """
        with self._server.errors():
            try:
                found = self._questions.stat_object(self._server.bucket, _key(upload_id))
            except S3Error as error:
                if error.code in ABSENT:
                    return None
                raise
        return StagedObject(upload_id, found.size or 0, found.last_modified or datetime.now(UTC))

    def adopt(self, upload_id: str, digest: str, size: int) -> None:
        """Reads what was put there and, when it is what was announced, copies it within the store to the blob's place.

        Raises:
            DigestMismatch: the bytes are others, or were changed while they were read; no blob was made.
            UploadIncomplete: nothing was put there.
            StorageFull: the store has no room.
            Unavailable: the server does not answer.
        """
        etag, actual, actual_size = self._read(upload_id)
        if (actual, actual_size) != (digest, size):
            raise DigestMismatch(
                f"the bytes are not those announced: announced {size} bytes with {digest}, got {actual_size} with "
                f"{actual}",
                field="upload.blob.digest",
                hint="look whether the file was changed while it was sent, then upload it again",
                metadata={"expected": digest, "actual": actual},
            )
        # Only while it is what was read: its owner can still put other bytes there, and these nobody verified.
        source = CopySource(self._server.bucket, _key(upload_id), match_etag=etag)
        with self._server.errors():
            try:
                self._copies.copy_object(self._server.bucket, store_key(digest), source)
            except S3Error as error:
                if error.code not in {_CHANGED, *ABSENT}:
                    raise
                raise DigestMismatch(
                    f"the bytes of {digest} were changed while they were verified",
                    field="upload.blob.digest",
                    hint="put the bytes at the address once, then finalize the upload",
                    metadata={"expected": digest},
                ) from error

    def remove(self, upload_id: str) -> None:
        """Removes what was put there for an upload; does nothing when nothing was."""
        with self._server.errors():
            try:
                self._questions.remove_object(self._server.bucket, _key(upload_id))
            except S3Error as error:
                if error.code not in ABSENT:
                    raise

    def objects(self) -> Iterator[StagedObject]:
        """Everything that was put there and not removed."""
        with self._server.errors():
            if not self._questions.bucket_exists(self._server.bucket):
                return
            for item in self._questions.list_objects(self._server.bucket, prefix=STAGING_PREFIX, recursive=True):
                upload_id = (item.object_name or "").removeprefix(STAGING_PREFIX)
                yield StagedObject(upload_id, item.size or 0, item.last_modified or datetime.now(UTC))

    def _read(self, upload_id: str) -> tuple[str, str, int]:
        """ETag, digest and size of what lies there."""
        running = hashlib.sha256()
        size = 0
        with self._server.errors():
            try:
                response = self._transfers.get_object(self._server.bucket, _key(upload_id))
            except S3Error as error:
                if error.code in ABSENT:
                    raise UploadIncomplete(
                        "nothing was put at the address of the upload",
                        field="name",
                        hint="put the bytes there, or send them with WriteBlob",
                        metadata={"committed_bytes": "0"},
                    ) from error
                raise
            try:
                for chunk in response.stream(CHUNK_BYTES):
                    running.update(chunk)
                    size += len(chunk)
            finally:
                response.close()
                response.release_conn()
        return response.headers.get("etag", "").strip('"'), f"sha256:{running.hexdigest()}", size


def _key(upload_id: str) -> str:
    return f"{STAGING_PREFIX}{upload_id}"
