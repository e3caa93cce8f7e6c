"""The blob store that the settings name, and how clients may reach it themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from modelfoundry.errors import InvalidField
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_staging import MinioStaging
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.s3_server import S3Server
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


def open_staging(settings: RegistrySettings) -> MinioStaging | None:
    """How clients reach the S3 server themselves; None where the settings do not let them.

    Raises:
        InvalidField: an address is malformed, or blobs are in a folder.
    """
    if not settings.minio_public_endpoint:
        return None
    if settings.blob_store == "local":
        raise InvalidField(
            "minio_public_endpoint is set, but blobs are kept in a folder",
            field="minio_public_endpoint",
            hint="set MODELFOUNDRY_REGISTRY_BLOB_STORE=minio, or unset MODELFOUNDRY_REGISTRY_MINIO_PUBLIC_ENDPOINT",
        )
    server = S3Server(
        settings.minio_endpoint,
        settings.minio_access_key,
        settings.minio_secret_key.get_secret_value(),
        settings.minio_bucket,
        settings.minio_region,
    )
    public = replace(server, endpoint=settings.minio_public_endpoint)
    return MinioStaging(server, public, timedelta(seconds=settings.minio_url_seconds))
