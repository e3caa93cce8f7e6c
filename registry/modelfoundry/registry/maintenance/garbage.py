"""Garbage collection: marks blobs that nothing uses, then removes each in a transaction that asks again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from modelfoundry.errors import Cancelled, InUse, InvalidField
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.holds import is_held
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.ledger import digests_in_responses
from modelfoundry.values.maintenance import GarbageSummary

NOTHING: Final = GarbageSummary(
    removed_blobs=0, removed_bytes=0, removed_strays=0, removed_stray_bytes=0, kept_blobs=0, kept_bytes=0
)


class GarbageCollector:
    """Removes blobs that nothing uses. Blocks; one collection at a time.

    Args:
        database: Where resources and jobs are.
        blobs: What is collected.
        min_age: Age at which an unused blob goes where the caller names none.
        stopped: Asked at every blob; yes ends a collection.
        uploads: Whose abandoned bytes in the store are collected too.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        min_age: timedelta,
        stopped: Callable[[], bool] = lambda: False,
        uploads: Uploads | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._min_age = min_age
        self._stopped = stopped
        self._uploads = uploads
        self._turn = threading.Lock()

    def collect(self, *, dry_run: bool = False, min_age: timedelta | None = None) -> GarbageSummary:
        """Removes what nothing uses, or only counts it.

        Raises:
            InvalidField: `min_age` is negative.
            InUse: a backup is being made.
            Cancelled: it was stopped; what it removed is removed.
        """
        age = self._min_age if min_age is None else min_age
        if age < timedelta(0):
            raise InvalidField(f"min_age: {age} is negative", field="min_age", hint="pass 0 or more")
        with self._turn:
            self._refuse_held()
            untouched_since = datetime.now(UTC) - age
            # Uploads first: one whose blob is removed below is open again.
            counted = self._sweep_uploads(untouched_since, dry_run=dry_run)
            counted = self._sweep(counted, untouched_since, dry_run=dry_run)
            counted = self._sweep_strays(counted, untouched_since, dry_run=dry_run)
        count, size = self._blobs.total()
        if dry_run:
            count, size = count - counted.removed_blobs, size - counted.removed_bytes
        return replace(counted, kept_blobs=count, kept_bytes=size)

    def _refuse_held(self) -> None:
        with self._database.read_session() as session:
            if is_held(session, datetime.now(UTC)):
                raise InUse(
                    "a backup is being made: no blob is removed meanwhile",
                    hint="try again when it is done; one that was killed lets go after an hour",
                )

    def _refuse_stopped(self) -> None:
        if self._stopped():
            raise Cancelled("the registry is being stopped", hint="start it again; the next collection goes on")

    def _sweep(self, counted: GarbageSummary, untouched_since: datetime, *, dry_run: bool) -> GarbageSummary:
        with self._database.read_session() as session:
            named = digests_in_responses(session)
        removed = size = 0
        for blob in self._blobs.unused(untouched_since, named):
            self._refuse_stopped()
            if dry_run or self._blobs.discard(blob.digest, untouched_since=untouched_since):
                removed += 1
                size += blob.size_bytes
        return replace(counted, removed_blobs=removed, removed_bytes=size)

    def _sweep_strays(self, counted: GarbageSummary, untouched_since: datetime, *, dry_run: bool) -> GarbageSummary:
        removed, size = counted.removed_strays, counted.removed_stray_bytes
        for stray in self._blobs.stray_objects():
            self._refuse_stopped()
            if stray.digest is None or stray.modified > untouched_since:
                continue
            if dry_run or self._blobs.discard_stray(stray.digest):
                removed += 1
                size += stray.size
        return replace(counted, removed_strays=removed, removed_stray_bytes=size)

    def _sweep_uploads(self, untouched_since: datetime, *, dry_run: bool) -> GarbageSummary:
        removed = size = 0
        if self._uploads is None:
            return NOTHING
        for staged in self._uploads.abandoned(untouched_since):
            self._refuse_stopped()
            if not dry_run:
                self._uploads.discard_abandoned(staged.upload_id)
            removed += 1
            size += staged.size
        return replace(NOTHING, removed_strays=removed, removed_stray_bytes=size)
