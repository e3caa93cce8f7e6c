"""Reads every blob again and compares it with its name and with the database; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlmodel import col, select

from modelfoundry.errors import Cancelled, CorruptBlob, NotFound
from modelfoundry.registry.blobs.blobs import Blob, Blobs
from modelfoundry.registry.blobs.store import store_key
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import BlobUseRow

PROGRESS_EVERY: Final = 1000
NAMED_RESOURCES: Final = 20


class Fault(Enum):
    """What can be wrong with a blob."""

    CORRUPT = "corrupt"
    MISSING = "missing"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        fault: What it is.
        digest: Which blob; empty for an object that is none.
        key: Where it lies in the store.
        size: Bytes that should be there; of a stray, those that are.
        resources: At most 20 resources that are made of it.
    """

    fault: Fault
    digest: str
    key: str
    size: int
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a check is."""

    blobs: int
    size: int
    findings: int
    complete: bool = False


def check_blobs(database: Database, blobs: Blobs, stopped: Callable[[], bool]) -> Iterator[Finding | Progress]:
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
        size += blob.size
        if fault is not None:
            findings += 1
            yield Finding(fault, blob.digest, store_key(blob.digest), blob.size, _resources(database, blob.digest))
        if count % PROGRESS_EVERY == 0:
            yield Progress(count, size, findings)
    for stray in blobs.stray_objects():
        findings += 1
        yield Finding(Fault.STRAY, stray.digest or "", stray.key, stray.size)
    yield Progress(count, size, findings, complete=True)


def _fault(blobs: Blobs, blob: Blob, stopped: Callable[[], bool]) -> Fault | None:
    read = 0
    try:
        with closing(blobs.read(blob.digest)) as chunks:
            for chunk in chunks:
                read += len(chunk)
                if stopped():
                    raise Cancelled("the check was stopped", hint="start it again; it changed nothing")
    except CorruptBlob:
        return Fault.CORRUPT
    except NotFound:
        # Garbage collection may have removed it since its row was read.
        return Fault.MISSING if blobs.has_row(blob.digest) else None
    return None if read == blob.size else Fault.CORRUPT


def _resources(database: Database, digest: str) -> tuple[str, ...]:
    query = select(BlobUseRow.resource).where(col(BlobUseRow.digest) == digest).order_by(col(BlobUseRow.resource))
    with database.read_session() as session:
        return tuple(session.exec(query.limit(NAMED_RESOURCES)))
