"""Reads every blob again and compares it with its name and with the database; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

from sqlmodel import col, select

from modelfoundry.errors import Cancelled, CorruptBlob, NotFound
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.store import store_key
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import BlobUseRow
from modelfoundry.values.maintenance import BlobFinding, CheckProgress, FindingKind
from modelfoundry.values.resources import BlobRef

PROGRESS_EVERY: Final = 1000
NAMED_RESOURCES: Final = 20


def check_blobs(database: Database, blobs: Blobs, stopped: Callable[[], bool]) -> Iterator[BlobFinding | CheckProgress]:
    """Yields findings as they are made, progress in between, complete progress at the end. Holds a chunk in memory.

    Args:
        database: Where rows are.
        blobs: What is read.
        stopped: Asked at every chunk; yes ends it.

    Raises:
        Cancelled: it was stopped.
        Unavailable: the database or the store cannot be reached.
    """
    count = size = findings = 0
    for blob in blobs.all():
        fault = _fault(blobs, blob, stopped)
        count += 1
        size += blob.size_bytes
        if fault is not None:
            findings += 1
            yield BlobFinding(
                kind=fault,
                digest=blob.digest,
                key=store_key(blob.digest),
                size_bytes=blob.size_bytes,
                resources=_resources(database, blob.digest),
            )
        if count % PROGRESS_EVERY == 0:
            yield CheckProgress(checked_blobs=count, checked_bytes=size, findings=findings, complete=False)
    for stray in blobs.stray_objects():
        findings += 1
        yield BlobFinding(kind=FindingKind.STRAY, digest=stray.digest or "", key=stray.key, size_bytes=stray.size)
    yield CheckProgress(checked_blobs=count, checked_bytes=size, findings=findings, complete=True)


def _fault(blobs: Blobs, blob: BlobRef, stopped: Callable[[], bool]) -> FindingKind | None:
    read = 0
    try:
        with closing(blobs.read(blob.digest)) as chunks:
            for chunk in chunks:
                read += len(chunk)
                if stopped():
                    raise Cancelled("the check was stopped", hint="start it again; it changed nothing")
    except CorruptBlob:
        return FindingKind.CORRUPT
    except NotFound:
        # Garbage collection may have removed it since its row was read.
        return FindingKind.MISSING if blobs.has_row(blob.digest) else None
    return None if read == blob.size_bytes else FindingKind.CORRUPT


def _resources(database: Database, digest: str) -> tuple[str, ...]:
    query = select(BlobUseRow.resource).where(col(BlobUseRow.digest) == digest).order_by(col(BlobUseRow.resource))
    with database.read_session() as session:
        return tuple(session.exec(query.limit(NAMED_RESOURCES)))
