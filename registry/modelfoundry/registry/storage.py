"""The blob store that the settings name."""

from __future__ import annotations

from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.store import BlobStore
from modelfoundry.registry.settings import RegistrySettings


def open_blob_store(settings: RegistrySettings) -> BlobStore:
    """Opens it.

    Raises:
        Unavailable: its folder cannot be made or written to.
        InvalidField: the address of the S3 server is malformed.
    """
    if settings.blob_store == "local":
        return LocalBlobStore(settings.folder)
    return MinioBlobStore(
        settings.minio_endpoint,
        settings.minio_access_key,
        settings.minio_secret_key.get_secret_value(),
        bucket=settings.minio_bucket,
        region=settings.minio_region,
    )
