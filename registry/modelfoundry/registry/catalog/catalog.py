"""The catalog as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session, col, select

from modelfoundry.registry.catalog.compositions import Compositions
from modelfoundry.registry.catalog.datasets import Datasets
from modelfoundry.registry.catalog.evaluations import Evaluations
from modelfoundry.registry.catalog.lineage import Lineages
from modelfoundry.registry.catalog.models import Models
from modelfoundry.registry.catalog.modules import Modules
from modelfoundry.registry.catalog.provenance import Provenance
from modelfoundry.registry.catalog.safetensors_file import BlobReader
from modelfoundry.registry.catalog.shelf import Shelf, utc_now
from modelfoundry.registry.catalog.tables import BlobUseRow
from modelfoundry.registry.database import Database
from modelfoundry.registry.events.journal import Journal
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.registry.search.known_labels import KnownLabels
from modelfoundry.registry.search.search import Search
from modelfoundry.registry.search.vocabularies import Vocabularies


class Catalog:
    """All collections over one database and one blob store.

    Args:
        database: Its schema is up to date.
        blobs: Where the bytes are.
        now: The clock.
    """

    def __init__(self, database: Database, blobs: BlobReader, now: Callable[[], datetime] = utc_now) -> None:
        self._shelf = shelf = Shelf(database, blobs, now)
        Journal(now).keep(database)
        self.models = Models(shelf)
        self.datasets = Datasets(shelf)
        self.modules = Modules(shelf)
        self.compositions = Compositions(shelf)
        self.evaluations = Evaluations(shelf)
        self.provenance = Provenance(shelf)
        self.lineages = Lineages(shelf)
        self.vocabularies = Vocabularies(shelf)
        self.search = Search(shelf)
        self.known_labels = KnownLabels(shelf)

    @property
    def signer(self) -> TokenSigner:
        """Signs the page tokens of all lists on this database."""
        return self._shelf.signer


def uses_blob(session: Session, digest: str) -> bool:
    """Whether a resource is made of a blob."""
    return session.exec(select(BlobUseRow).where(col(BlobUseRow.digest) == digest).limit(1)).first() is not None
