"""Checks of the four services."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelfoundry.cli.diagnosis.findings import Finding, Verdict
from modelfoundry.errors import ModelFoundryError

if TYPE_CHECKING:
    from modelfoundry.client import Client, Service, ServiceHealth


def no_services(error: ModelFoundryError) -> list[Finding]:
    """What is said when nothing names the services."""
    return [Finding("services", Verdict.FAILED, error.message, error.hint)]


def check_services(client: Client) -> list[Finding]:
    """Whether each service answers and can work: the registry with its database and blob store, the others with it."""
    findings = [_finding(service, health) for service, health in client.health().items()]
    return [*findings, _minio()] if os.environ.get("MODELFOUNDRY_REGISTRY_BLOB_STORE") == "minio" else findings


def _finding(service: Service, health: ServiceHealth) -> Finding:
    found = ": ".join(part for part in (health.address, health.detail or "serving") if part)
    if health.ready:
        return Finding(service.value, Verdict.OK, found)
    variable = f"MODELFOUNDRY_{service.value.upper()}"
    return Finding(service.value, Verdict.FAILED, found, f"start `modelfoundry up`, or set {variable} to its address")


def _minio() -> Finding:
    """Whether this machine's settings of the registry reach the S3 server."""
    from modelfoundry.registry.blobs.minio_store import MinioBlobStore
    from modelfoundry.registry.settings import RegistrySettings

    settings = RegistrySettings()
    found = f"{settings.minio_endpoint}, bucket {settings.minio_bucket}"
    try:
        MinioBlobStore(
            settings.minio_endpoint,
            settings.minio_access_key,
            settings.minio_secret_key.get_secret_value(),
            bucket=settings.minio_bucket,
            region=settings.minio_region,
        ).check()
    except ModelFoundryError as error:
        return Finding("minio", Verdict.FAILED, f"{found}: {error.message}", error.hint)
    return Finding("minio", Verdict.OK, found)
