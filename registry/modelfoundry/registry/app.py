"""Joins the registry's parts: the one place that knows all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from sqlalchemy import URL

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
from modelfoundry.registry.database import Database
from modelfoundry.registry.events.history import History, Kept
from modelfoundry.registry.events.service import EventService
from modelfoundry.registry.jobs.ledger import is_checkpoint
from modelfoundry.registry.jobs.results import Results
from modelfoundry.registry.jobs.service import JobService
from modelfoundry.registry.maintenance.servicer import MaintenanceServicer
from modelfoundry.registry.parts import Part
from modelfoundry.registry.records.finding import uses_blob
from modelfoundry.registry.records.journal import Journal
from modelfoundry.registry.records.shelf import Shelf, utc_now
from modelfoundry.registry.registry_service import RegistryServicer
from modelfoundry.registry.search.following import follow_modules
from modelfoundry.registry.search.known_labels import KnownLabels
from modelfoundry.registry.search.search import ModuleSearch
from modelfoundry.registry.search.servicer import SearchServicer
from modelfoundry.registry.search.vocabularies import Vocabularies
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.registry.statements.attestor import Attestor, open_signing_key
from modelfoundry.registry.statements.servicer import StatementServicer
from modelfoundry.registry.storage import open_blob_store, open_staging
from modelfoundry.registry.webhooks.service import WebhookService
from modelfoundry.runtime.server import Background, Service
from modelfoundry.runtime.settings import data_dir
from modelfoundry.runtime.shutdown import ShutdownSignal


@dataclass(frozen=True, slots=True)
class Registry:
    """What `runtime.server` needs to serve the registry."""

    services: Sequence[Service]
    ready: Callable[[], Awaitable[None]]
    background: Sequence[Background]


@asynccontextmanager
async def registry(settings: RegistrySettings, shutdown: ShutdownSignal) -> AsyncIterator[Registry]:
    """The registry's parts, joined as the settings say, with the schema of its database up to date.

    Raises:
        Unavailable: the database cannot be reached, or a folder cannot be written to.
        InvalidField: a setting is wrong.
    """
    with ExitStack() as opened:
        database = Database(settings.database)
        opened.callback(database.close)
        _make_folder_of(settings.database)
        signer = open_signing_key(settings.signing_key, data_dir() / "registry")
        blobs = Blobs(database, open_blob_store(settings), references=(uses_blob, is_checkpoint))
        shelf = Shelf(database, blobs)
        parts = []
        for part in await asyncio.to_thread(lambda: list(_parts(settings, shutdown, shelf, blobs, signer))):
            opened.callback(part.close)
            parts.append(part)

        async def ready() -> None:
            await asyncio.to_thread(database.check)
            await asyncio.to_thread(blobs.check)

        yield Registry(
            services=[service for part in parts for service in part.services()],
            ready=ready,
            background=[work for part in parts for work in part.background()],
        )


def _parts(
    settings: RegistrySettings, shutdown: ShutdownSignal, shelf: Shelf, blobs: Blobs, signer: CryptoSigner
) -> Iterator[Part]:
    """Brings the database up to date, has others follow what is written to it, and opens every room. Blocks."""
    database = shelf.database
    database.migrate()
    attestor = Attestor(signer, utc_now)
    attestor.keep(database)
    Journal(utc_now).keep(database)
    follow_modules(database)
    yield RegistryServicer(shelf)
    yield AliasServicer(Aliases(shelf))
    yield SearchServicer(ModuleSearch(shelf), KnownLabels(shelf), Vocabularies(shelf))
    yield StatementServicer(database, attestor.key_id)
    yield CardServicer(Cards(database))
    staging = open_staging(settings)
    uploads = Uploads(
        database,
        blobs,
        Spool(settings.spool_folder),
        largest_bytes=settings.largest_blob_bytes,
        staging=staging,
    )
    yield BlobServicer(blobs, uploads)
    yield DirectTransferServicer(blobs, uploads, staging)
    yield MaintenanceServicer(
        database,
        blobs,
        uploads,
        min_age=timedelta(hours=settings.gc_min_age_hours),
        interval=timedelta(hours=settings.gc_interval_hours),
    )
    yield JobService(
        database,
        signer=shelf.signer,
        shutdown=shutdown,
        blob_exists=blobs.exists,
        release_blob=blobs.discard,
        still_valid=Results(database, blobs.exists).are_there,
    )
    kept = Kept(settings.event_history_days, settings.event_history_count)
    yield EventService(History(database, kept, utc_now), utc_now)
    yield WebhookService(
        database,
        allow_private=settings.webhook_private_addresses,
        max_failures=settings.webhook_max_failures,
        now=utc_now,
    )


def _make_folder_of(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"the folder of the database cannot be made: {folder}: {error.strerror}",
                hint="set MODELFOUNDRY_REGISTRY_DATABASE_URL or MODELFOUNDRY_HOME to a place that can be written to",
            ) from error
