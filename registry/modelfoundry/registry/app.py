"""Joins the registry's parts: the one place that knows all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url

from modelfoundry.api.registry.v1 import (
    alias_service_pb2,
    alias_service_pb2_grpc,
    blob_service_pb2,
    blob_service_pb2_grpc,
    direct_transfer_service_pb2,
    direct_transfer_service_pb2_grpc,
    label_service_pb2,
    label_service_pb2_grpc,
    maintenance_service_pb2,
    maintenance_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    statement_service_pb2,
    statement_service_pb2_grpc,
)
from modelfoundry.errors import Unavailable
from modelfoundry.registry.aliases.aliases import Aliases
from modelfoundry.registry.aliases.servicer import AliasServicer
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.direct_servicer import DirectTransferServicer
from modelfoundry.registry.blobs.servicer import BlobServicer
from modelfoundry.registry.blobs.spool import Spool
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.cards.cards import Cards
from modelfoundry.registry.cards.servicer import CardServicer
from modelfoundry.registry.catalog.catalog import Catalog, uses_blob
from modelfoundry.registry.catalog.servicer import RegistryServicer
from modelfoundry.registry.catalog.shelf import utc_now
from modelfoundry.registry.database import Database
from modelfoundry.registry.events.history import History, Kept
from modelfoundry.registry.events.service import EventService
from modelfoundry.registry.jobs.ledger import is_checkpoint
from modelfoundry.registry.jobs.service import JobService
from modelfoundry.registry.maintenance.servicer import MaintenanceServicer
from modelfoundry.registry.results import Results
from modelfoundry.registry.search.servicer import SearchServicer
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.registry.statements.attestor import Attestor, open_signing_key
from modelfoundry.registry.statements.servicer import StatementServicer
from modelfoundry.registry.storage import open_blob_store, open_staging
from modelfoundry.registry.webhooks.service import WebhookService
from modelfoundry.runtime.server import Service
from modelfoundry.runtime.settings import data_dir
from modelfoundry.runtime.shutdown import ShutdownSignal


@dataclass(frozen=True, slots=True)
class Registry:
    """What `runtime.server` needs to serve the registry."""

    services: Sequence[Service]
    ready: Callable[[], Awaitable[None]]
    background: Sequence[Callable[[], Awaitable[None]]]


@asynccontextmanager
async def registry(settings: RegistrySettings, shutdown: ShutdownSignal) -> AsyncIterator[Registry]:
    """The registry's parts, joined as the settings say, with the schema of its database up to date.

    Raises:
        Unavailable: the database cannot be reached, or a folder cannot be written to.
        InvalidField: a setting is wrong.
    """
    database = Database(settings.database_url.get_secret_value())
    try:
        _make_folder_of(settings.database_url.get_secret_value())
        signer = open_signing_key(settings.signing_key, data_dir() / "registry")
        await asyncio.to_thread(database.migrate)
        attestor = Attestor(signer, utc_now)
        await asyncio.to_thread(attestor.keep, database)
        store = open_blob_store(settings)
        blobs = Blobs(database, store, references=(uses_blob, is_checkpoint))
        catalog = Catalog(database, blobs)
        catalog_servicer = RegistryServicer(catalog)
        alias_servicer = AliasServicer(Aliases(database, lambda: catalog.signer, utc_now))
        search_servicer = SearchServicer(catalog)
        statement_servicer = StatementServicer(database, attestor.key_id)
        card_servicer = CardServicer(Cards(database))
        staging = open_staging(settings)
        uploads = Uploads(
            database,
            blobs,
            Spool(settings.spool_folder),
            largest_bytes=settings.largest_blob_bytes,
            staging=staging,
        )
        blob_servicer = BlobServicer(blobs, uploads)
        direct_servicer = DirectTransferServicer(blobs, uploads, staging)

        maintenance = MaintenanceServicer(
            database,
            blobs,
            uploads,
            timedelta(hours=settings.gc_min_age_hours),
            timedelta(hours=settings.gc_interval_hours),
        )

        def release(digest: str) -> None:
            blobs.discard(digest)

        jobs = JobService(
            database,
            signer=await asyncio.to_thread(lambda: catalog.signer),
            shutdown=shutdown,
            blob_exists=lambda digest: blobs.find(digest) is not None,
            release_blob=release,
            still_valid=Results(database, blobs).are_there,
        )

        kept = Kept(settings.event_history_days, settings.event_history_count)
        events = EventService(History(database, kept, utc_now), utc_now)
        webhooks = WebhookService(
            database,
            allow_private=settings.webhook_private_addresses,
            max_failures=settings.webhook_max_failures,
            now=utc_now,
        )

        async def ready() -> None:
            await asyncio.to_thread(database.check)
            await asyncio.to_thread(blobs.check)

        yield Registry(
            services=(
                _catalog_service(catalog_servicer),
                _alias_service(alias_servicer),
                _search_service(search_servicer),
                _statement_service(statement_servicer),
                card_servicer.service(),
                _label_service(search_servicer),
                _blob_service(blob_servicer),
                _direct_transfer_service(direct_servicer),
                _maintenance_service(maintenance),
                *jobs.services(),
                events.service(),
                webhooks.service(),
            ),
            ready=ready,
            background=(
                jobs.run,
                blob_servicer.sweep,
                events.run,
                webhooks.run,
                *([maintenance.run] if settings.gc_interval_hours else []),
            ),
        )
        catalog_servicer.close()
        alias_servicer.close()
        search_servicer.close()
        statement_servicer.close()
        card_servicer.close()
        blob_servicer.close()
        direct_servicer.close()
        maintenance.close()
    finally:
        database.close()


def _make_folder_of(database_url: str) -> None:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"the folder of the database cannot be made: {folder}: {error.strerror}",
                hint="set MODELFOUNDRY_REGISTRY_DATABASE_URL or MODELFOUNDRY_HOME to a place that can be written to",
            ) from error


def _catalog_service(servicer: RegistryServicer) -> Service:
    return Service(
        registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"].full_name,
        lambda server: registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(servicer, server),
    )


def _alias_service(servicer: AliasServicer) -> Service:
    return Service(
        alias_service_pb2.DESCRIPTOR.services_by_name["AliasService"].full_name,
        lambda server: alias_service_pb2_grpc.add_AliasServiceServicer_to_server(servicer, server),
    )


def _search_service(servicer: SearchServicer) -> Service:
    return Service(
        search_service_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name,
        lambda server: search_service_pb2_grpc.add_SearchServiceServicer_to_server(servicer, server),
    )


def _statement_service(servicer: StatementServicer) -> Service:
    return Service(
        statement_service_pb2.DESCRIPTOR.services_by_name["StatementService"].full_name,
        lambda server: statement_service_pb2_grpc.add_StatementServiceServicer_to_server(servicer, server),
    )


def _label_service(servicer: SearchServicer) -> Service:
    return Service(
        label_service_pb2.DESCRIPTOR.services_by_name["LabelService"].full_name,
        lambda server: label_service_pb2_grpc.add_LabelServiceServicer_to_server(servicer, server),
    )


def _blob_service(servicer: BlobServicer) -> Service:
    return Service(
        blob_service_pb2.DESCRIPTOR.services_by_name["BlobService"].full_name,
        lambda server: blob_service_pb2_grpc.add_BlobServiceServicer_to_server(servicer, server),
    )


def _direct_transfer_service(servicer: DirectTransferServicer) -> Service:
    return Service(
        direct_transfer_service_pb2.DESCRIPTOR.services_by_name["DirectTransferService"].full_name,
        lambda server: direct_transfer_service_pb2_grpc.add_DirectTransferServiceServicer_to_server(servicer, server),
    )


def _maintenance_service(servicer: MaintenanceServicer) -> Service:
    return Service(
        maintenance_service_pb2.DESCRIPTOR.services_by_name["MaintenanceService"].full_name,
        lambda server: maintenance_service_pb2_grpc.add_MaintenanceServiceServicer_to_server(servicer, server),
    )
