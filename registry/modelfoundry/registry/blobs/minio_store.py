"""Blobs as objects in a bucket of MinIO or any other S3 server."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from minio.error import S3Error
from urllib3.response import BaseHTTPResponse

from modelfoundry.registry.blobs.s3_server import ABSENT, S3Server
from modelfoundry.registry.blobs.store import (
    CHUNK_BYTES,
    STAGING_PREFIX,
    HashedFile,
    StoredObject,
    digest_at,
    missing,
    span,
    store_key,
    verified,
    verify_file,
)

_MIB: Final = 1024 * 1024
_PART_BYTES: Final = 8 * _MIB
_MOST_PARTS: Final = 10_000
_OWNED: Final = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class MinioBlobStore:
    """A `BlobStore` on any S3 server.

    Memory: one part, of 8 MiB up to 80 GiB of blob, for each blob being put; one chunk for each being read.

    Args:
        endpoint: `http://host:port` or `https://host:port`.
        access_key: Who asks.
        secret_key: The key's secret.
        bucket: Made when it is not there.
        region: What the server calls its region; MinIO calls it `us-east-1`.

    Raises:
        InvalidField: the endpoint is not of that form.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        *,
        bucket: str = "modelfoundry",
        region: str = "us-east-1",
    ) -> None:
        self._server = S3Server(endpoint, access_key, secret_key, bucket, region)
        # Questions must be answered soon, so that a dead server is noticed within seconds: every transfer begins with
        # one. A part of a blob may take a slow disk longer.
        self._questions = self._server.client(read_seconds=5)
        self._transfers = self._server.client(read_seconds=30)

    def put_file(self, path: Path, digest: str, size: int, hashed: HashedFile | None = None) -> None:
        """See `BlobStore.put_file`. Large files go in parts; the server checks the SHA-256 or MD5 of each."""
        verify_file(path, digest, size, hashed)
        with self._server.errors(), path.open("rb") as file:
            self._ensure_bucket()
            self._transfers.put_object(
                self._server.bucket,
                store_key(digest),
                file,
                size,
                part_size=part_bytes(size),
                num_parallel_uploads=1,  # more would be quicker on a far server, and each costs a part of memory
            )

    def open(self, digest: str, offset: int = 0, limit: int = 0) -> Generator[bytes]:
        """See `BlobStore.open`."""
        size = self.stat(digest)
        if size is None:
            raise missing(digest)
        length = span(size, offset, limit)
        chunks = self._chunks(digest, offset, length)
        return verified(chunks, digest, size) if length == size else chunks

    def stat(self, digest: str) -> int | None:
        """See `BlobStore.stat`."""
        with self._server.errors():
            try:
                return self._questions.stat_object(self._server.bucket, store_key(digest)).size
            except S3Error as error:
                if error.code in ABSENT:
                    return None
                raise

    def delete(self, digest: str) -> None:
        """See `BlobStore.delete`."""
        with self._server.errors():
            try:
                self._questions.remove_object(self._server.bucket, store_key(digest))
            except S3Error as error:
                if error.code not in ABSENT:
                    raise

    def objects(self) -> Iterator[StoredObject]:
        """See `BlobStore.objects`."""
        with self._server.errors():
            if not self._questions.bucket_exists(self._server.bucket):
                return
            for item in self._questions.list_objects(self._server.bucket, recursive=True):
                key = item.object_name or ""
                if key.startswith(STAGING_PREFIX):
                    continue
                yield StoredObject(key, digest_at(key), item.size or 0, item.last_modified or datetime.now(UTC))

    def check(self) -> None:
        """See `BlobStore.check`. Makes the bucket when it is not there."""
        with self._server.errors():
            self._ensure_bucket()

    def _ensure_bucket(self) -> None:
        if self._questions.bucket_exists(self._server.bucket):
            return
        try:
            self._questions.make_bucket(self._server.bucket)
        except S3Error as error:
            if error.code not in _OWNED:
                raise

    def _chunks(self, digest: str, offset: int, length: int) -> Generator[bytes]:
        if length == 0:
            return
        with self._server.errors(digest):
            response = self._transfers.get_object(self._server.bucket, store_key(digest), offset, length)
            try:
                yield from _exactly(response, length)
            finally:
                # Closing first drops a connection that still has bytes to come, in place of reading them all.
                response.close()
                response.release_conn()


def part_bytes(size: int) -> int:
    """The size of the parts in which `size` bytes go: 8 MiB, more only where there would be more than 10,000 parts."""
    least = -(-size // _MOST_PARTS)
    return max(_PART_BYTES, -(-least // _MIB) * _MIB)


def _exactly(response: BaseHTTPResponse, length: int) -> Generator[bytes]:
    """At most `length` bytes: a server may ignore the range, and a blob that grew is for the digest to find."""
    for chunk in response.stream(CHUNK_BYTES):
        if chunk:
            yield chunk[:length]
            length -= len(chunk)
        if length <= 0:
            return
