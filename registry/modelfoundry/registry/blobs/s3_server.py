"""An S3 server: who asks it, how long it may take, and what its errors mean in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from modelfoundry.errors import InvalidField, ModelFoundryError, StorageFull, Unavailable
from modelfoundry.registry.blobs.store import missing

ABSENT: Final = frozenset({"NoSuchKey", "NoSuchBucket"})
_FULL: Final = frozenset(
    {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientCapacity"}
)
_NO_SPACE: Final = "no space left on device"  # MinIO says InternalError with this cause when a disk fills up at once
_REFUSED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidTokenId"}
)


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where a bucket is and who asks for it.

    Attributes:
        endpoint: `http://host:port` or `https://host:port`.
        access_key: Who asks.
        secret_key: The key's secret.
        bucket: The bucket.
        region: What the server calls its region; MinIO calls it `us-east-1`.

    Raises:
        InvalidField: the endpoint is not of that form.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    region: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise InvalidField(
                f"the address of the S3 server {self.endpoint!r} is not of the form http://host:port",
                hint="pass for example http://127.0.0.1:9000",
            )

    def client(self, read_seconds: float) -> Minio:
        """A client that waits so long for bytes of an answer."""
        parts = urlsplit(self.endpoint)
        return Minio(
            parts.netloc,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=parts.scheme == "https",
            region=self.region,
            http_client=_pool(read_seconds),
        )

    @contextmanager
    def errors(self, digest: str = "") -> Iterator[None]:
        """Turns what the S3 server and the network say into our words."""
        try:
            yield
        except S3Error as error:
            if digest and error.code in ABSENT:
                raise missing(digest) from error
            raise self._in_our_words(error) from error
        except (MinioException, HTTPError) as error:
            raise self._unavailable(f"does not answer as it should: {_innermost(error)}") from error

    def _in_our_words(self, error: S3Error) -> ModelFoundryError:
        if error.code in _FULL or _NO_SPACE in (error.message or ""):
            return StorageFull(
                f"the S3 server at {self.endpoint} has no room left: {error.message}",
                hint="free some space or raise the bucket's quota, then upload again; nothing was kept",
            )
        if error.code in _REFUSED:
            return self._unavailable(
                f"refuses our credentials: {error.code}",
                hint="look at MODELFOUNDRY_REGISTRY_MINIO_ACCESS_KEY and _MINIO_SECRET_KEY, and at what the key may do "
                f"in bucket {self.bucket}",
            )
        return self._unavailable(f"says {error.code}: {error.message}")

    def _unavailable(self, what: str, *, hint: str = "") -> Unavailable:
        start = f"start MinIO there (for example `minio server FOLDER --address {urlsplit(self.endpoint).netloc}`)"
        return Unavailable(
            f"the S3 server at {self.endpoint} {what}",
            hint=hint or f"{start}, or look at MODELFOUNDRY_REGISTRY_MINIO_ENDPOINT and at the network",
        )


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


def _innermost(error: BaseException) -> str:
    """The reason at the bottom of a chain of wrapped errors."""
    reason = getattr(error, "reason", None)
    return _innermost(reason) if isinstance(reason, BaseException) else str(error)
