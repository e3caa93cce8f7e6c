"""What the registry can be told from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from sqlalchemy import URL

from modelfoundry.registry.blobs.uploads import LARGEST_BLOB_BYTES
from modelfoundry.registry.database import database_url
from modelfoundry.runtime.settings import ServiceSettings, data_dir


def _folder() -> Path:
    return data_dir() / "registry"


class RegistrySettings(ServiceSettings):
    """Settings of the registry, from environment variables that begin with `MODELFOUNDRY_REGISTRY_`."""

    model_config = SettingsConfigDict(env_prefix="MODELFOUNDRY_REGISTRY_")

    listen: str = "127.0.0.1:50054"
    """Address to listen on, `host:port`. Port 0 takes a free one."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL, for example `postgresql+psycopg://user:password@host/name`. Default: SQLite in the data dir."""
    blob_store: Literal["local", "minio"] = "local"
    """Where bytes are kept: in a folder of this machine, or in MinIO or any other S3 server."""
    folder: Path = Field(default_factory=lambda: _folder() / "blobs")
    """Folder of the local blob store."""
    spool_folder: Path = Field(default_factory=lambda: _folder() / "spool")
    """Folder of uploads that are not complete. Best on the file system of `folder`: no byte is then copied."""
    largest_blob_bytes: int = Field(default=LARGEST_BLOB_BYTES, gt=0)
    """Size of the largest blob that is taken."""
    gc_interval_hours: float = Field(default=24.0, ge=0)
    """Time between removals of blobs that nothing uses. 0: never; `modelfoundry gc` still does it."""
    gc_min_age_hours: float = Field(default=24.0, ge=0)
    """Age at which an unused blob is removed, since it was last uploaded or asked for."""
    minio_endpoint: str = "http://127.0.0.1:9000"
    """Address of the S3 server, `http://host:port` or `https://host:port`."""
    minio_access_key: str = ""
    """Who asks."""
    minio_secret_key: SecretStr = SecretStr("")
    """The key's secret."""
    minio_bucket: str = "modelfoundry"
    """Bucket of the blobs; made when it is not there."""
    minio_region: str = "us-east-1"
    """What the S3 server calls its region; MinIO calls it `us-east-1`."""
    minio_public_endpoint: str = ""
    """Address of the S3 server as clients reach it. Set, large blobs move between them and it without the registry."""
    minio_url_seconds: int = Field(default=900, ge=1, le=7 * 24 * 3600)
    """How long an address that a client was given is good for beginning a transfer."""
    signing_key: Path | None = None
    """PEM file of the Ed25519 private key that statements are signed with, readable by the registry alone. Unset:
    `registry/signing-key.pem` in the data dir, which the first start makes."""
    event_history_days: int = Field(default=30, gt=0)
    """How many days events are kept for those who watch and for webhooks."""
    event_history_count: int = Field(default=100_000, gt=0)
    """How many events are kept at most."""
    webhook_private_addresses: bool = False
    """Whether webhooks may lead to private networks and to this machine, which their creators can then reach."""
    webhook_max_failures: int = Field(default=20, gt=0)
    """After so many attempts in a row that failed, a webhook is disabled."""

    @property
    def database(self) -> URL:
        """Where the database is. The folder of the default goes in as a path: a `?` or `%` in it stays what it is.

        Raises:
            InvalidField: `database_url` is no URL.
        """
        if self.database_url is None:
            return URL.create("sqlite", database=str((_folder() / "registry.db").absolute()))
        return database_url(self.database_url.get_secret_value())
