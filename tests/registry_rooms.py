"""A registry's shelf as `app.py` makes it: what is written is told of and indexed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from modelfoundry.registry.database import Database
from modelfoundry.registry.records.blob_reader import BlobReader
from modelfoundry.registry.records.journal import Journal
from modelfoundry.registry.records.shelf import Shelf, utc_now
from modelfoundry.registry.search.following import follow_modules


def followed_shelf(database: Database, blobs: BlobReader, now: Callable[[], datetime] = utc_now) -> Shelf:
    """A shelf whose journal and search index follow; once for a database."""
    Journal(now).keep(database)
    follow_modules(database)
    return Shelf(database, blobs, now)
