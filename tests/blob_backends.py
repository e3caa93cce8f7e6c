"""The blob stores under test, each with a back door to what lies in it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minio_server import MinioServer

from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.store import BlobStore, store_key


class BlobBackend(Protocol):
    """A blob store and a back door to what lies in it."""

    @property
    def store(self) -> BlobStore: ...

    @property
    def arguments(self) -> list[str]:
        """What tells the program `blob_service.py` to use this store."""
        ...

    def overwrite(self, digest: str, data: bytes) -> None:
        """Puts other bytes where the store keeps this blob."""
        ...

    def vanish(self, digest: str) -> None:
        """Removes the bytes behind the store's back."""
        ...

    def keys(self, *half_written: str) -> list[str]:
        """What lies in the store, and what is half written of the digests named."""
        ...


@dataclass(frozen=True)
class LocalBackend:
    folder: Path
    store: LocalBlobStore

    @property
    def arguments(self) -> list[str]:
        return ["folder", str(self.folder)]

    def overwrite(self, digest: str, data: bytes) -> None:
        path = self.folder / store_key(digest)
        path.unlink()
        path.write_bytes(data)

    def vanish(self, digest: str) -> None:
        (self.folder / store_key(digest)).unlink()

    def keys(self, *half_written: str) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class MinioBackend:
    server: MinioServer
    bucket: str
    store: MinioBlobStore

    @property
    def arguments(self) -> list[str]:
        return ["s3", self.server.endpoint, self.server.access_key, self.server.secret_key, self.bucket]

    def overwrite(self, digest: str, data: bytes) -> None:
        self.server.client().put_object(self.bucket, store_key(digest), io.BytesIO(data), len(data))

    def vanish(self, digest: str) -> None:
        self.server.client().remove_object(self.bucket, store_key(digest))

    def keys(self, *half_written: str) -> list[str]:
        client = self.server.client()
        if not client.bucket_exists(self.bucket):
            return []
        found = [item.object_name or "" for item in client.list_objects(self.bucket, recursive=True)]
        for digest in half_written:  # MinIO lists the uploads of one object, never those of a bucket
            uploads = client._list_multipart_uploads(self.bucket, prefix=store_key(digest)).uploads
            found += [upload.object_name for upload in uploads]
        return sorted(found)
