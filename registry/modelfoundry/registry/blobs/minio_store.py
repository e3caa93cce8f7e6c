"""Blobs as objects in a bucket of MinIO or any other S3 server."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from modelfoundry.errors import InvalidField, ModelFoundryError, StorageFull, Unavailable
from modelfoundry.registry.blobs.store import (
    CHUNK_BYTES,
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
_ABSENT: Final = {"NoSuchKey", "NoSuchBucket"}
_OWNED: Final = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
_FULL: Final = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientCapacity"}
_NO_SPACE: Final = "no space left on device"  # MinIO says InternalError with this cause when a disk fills up at once
_REFUSED: Final = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidTokenId"}


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
        self._endpoint = endpoint
        self._bucket = bucket
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise InvalidField(
                f"the address of the S3 server {endpoint!r} is not of the form http://host:port",
                hint="pass for example http://127.0.0.1:9000",
            )

        def client(read_seconds: float) -> Minio:
            return Minio(
                parts.netloc,
                access_key=access_key,
                secret_key=secret_key,
                secure=parts.scheme == "https",
                region=region,
                http_client=_pool(read_seconds),
            )

        # Questions must be answered soon, so that a dead server is noticed within seconds: every transfer begins with
        # one. A part of a blob may take a slow disk longer.
        self._questions = client(read_seconds=5)
        self._transfers = client(read_seconds=30)

    def put_file(self, path: Path, digest: str, size: int) -> None:
        """See `BlobStore.put_file`. Large files go in parts; the server checks the SHA-256 or MD5 of each."""
        verify_file(path, digest, size)
        with self._s3_errors(), path.open("rb") as file:
            self._ensure_bucket()
            self._transfers.put_object(
                self._bucket,
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
        with self._s3_errors():
            try:
                return self._questions.stat_object(self._bucket, store_key(digest)).size
            except S3Error as error:
                if error.code in _ABSENT:
                    return None
                raise

    def delete(self, digest: str) -> None:
        """See `BlobStore.delete`."""
        with self._s3_errors():
            try:
                self._questions.remove_object(self._bucket, store_key(digest))
            except S3Error as error:
                if error.code not in _ABSENT:
                    raise

    def objects(self) -> Iterator[StoredObject]:
        """See `BlobStore.objects`."""
        with self._s3_errors():
            if not self._questions.bucket_exists(self._bucket):
                return
            for item in self._questions.list_objects(self._bucket, recursive=True):
                key = item.object_name or ""
                yield StoredObject(key, digest_at(key), item.size or 0, item.last_modified or datetime.now(UTC))

    def check(self) -> None:
        """See `BlobStore.check`. Makes the bucket when it is not there."""
        with self._s3_errors():
            self._ensure_bucket()

    def _ensure_bucket(self) -> None:
        if self._questions.bucket_exists(self._bucket):
            return
        try:
            self._questions.make_bucket(self._bucket)
        except S3Error as error:
            if error.code not in _OWNED:
                raise

    def _chunks(self, digest: str, offset: int, length: int) -> Generator[bytes]:
        if length == 0:
            return
        with self._s3_errors(digest):
            response = self._transfers.get_object(self._bucket, store_key(digest), offset, length)
            try:
                yield from _exactly(response, length)
            finally:
                # Closing first drops a connection that still has bytes to come, in place of reading them all.
                response.close()
                response.release_conn()

    @contextmanager
    def _s3_errors(self, digest: str = "") -> Iterator[None]:
        """Turns what the S3 server and the network say into our words."""
        try:
            yield
        except S3Error as error:
            if digest and error.code in _ABSENT:
                raise missing(digest) from error
            raise self._in_our_words(error) from error
        except (MinioException, HTTPError) as error:
            raise self._unavailable(f"does not answer as it should: {_innermost(error)}") from error

    def _in_our_words(self, error: S3Error) -> ModelFoundryError:
        if error.code in _FULL or _NO_SPACE in (error.message or ""):
            return StorageFull(
                f"the S3 server at {self._endpoint} has no room left: {error.message}",
                hint="free some space or raise the bucket's quota, then upload again; nothing was kept",
            )
        if error.code in _REFUSED:
            return self._unavailable(
                f"refuses our credentials: {error.code}",
                hint="look at MODELFOUNDRY_REGISTRY_MINIO_ACCESS_KEY and _MINIO_SECRET_KEY, and at what the key may do "
                f"in bucket {self._bucket}",
            )
        return self._unavailable(f"says {error.code}: {error.message}")

    def _unavailable(self, what: str, *, hint: str = "") -> Unavailable:
        start = f"start MinIO there (for example `minio server FOLDER --address {urlsplit(self._endpoint).netloc}`)"
        return Unavailable(
            f"the S3 server at {self._endpoint} {what}",
            hint=hint or f"{start}, or look at MODELFOUNDRY_REGISTRY_MINIO_ENDPOINT and at the network",
        )


def part_bytes(size: int) -> int:
    """The size of the parts in which `size` bytes go: 8 MiB, more only where there would be more than 10,000 parts."""
    least = -(-size // _MOST_PARTS)
    return max(_PART_BYTES, -(-least // _MIB) * _MIB)


def _pool(read_seconds: float) -> urllib3.PoolManager:
    # A refused connection is tried three times within half a second; an unanswered one once.
    retries = urllib3.Retry(
        connect=2,
        read=0,
        other=0,
        status=2,
        redirect=0,
        backoff_factor=0.2,
        status_forcelist=[
            HTTPStatus.BAD_GATEWAY,
            HTTPStatus.SERVICE_UNAVAILABLE,
            HTTPStatus.GATEWAY_TIMEOUT,
        ],
        raise_on_status=False,
    )
    timeout = urllib3.Timeout(connect=2, read=read_seconds)
    return urllib3.PoolManager(maxsize=16, timeout=timeout, retries=retries)


def _exactly(response: BaseHTTPResponse, length: int) -> Generator[bytes]:
    """At most `length` bytes: a server may ignore the range, and a blob that grew is for the digest to find."""
    for chunk in response.stream(CHUNK_BYTES):
        if chunk:
            yield chunk[:length]
            length -= len(chunk)
        if length <= 0:
            return


def _innermost(error: BaseException) -> str:
    """The reason at the bottom of a chain of wrapped errors."""
    reason = getattr(error, "reason", None)
    return _innermost(reason) if isinstance(reason, BaseException) else str(error)
