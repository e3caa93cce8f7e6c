"""MaintenanceService over gRPC, and garbage collection by the clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog

from modelfoundry.api.registry.v1 import maintenance_service_pb2 as pb
from modelfoundry.api.registry.v1 import maintenance_service_pb2_grpc
from modelfoundry.errors import ModelFoundryError
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.database import Database
from modelfoundry.registry.maintenance.check import Finding, Progress, check_blobs
from modelfoundry.registry.maintenance.codec import collected_to_proto, event_to_proto
from modelfoundry.registry.maintenance.garbage import GarbageCollector

Context = grpc.aio.ServicerContext[Any, Any]
_THREADS: Final = 2

_log = structlog.get_logger(__name__)


class MaintenanceServicer(maintenance_service_pb2_grpc.MaintenanceServiceServicer):
    """Serves `modelfoundry.api.registry.v1.MaintenanceService`, in threads of its own.

    Args:
        database: Where rows are.
        blobs: What is looked after.
        uploads: Whose abandoned bytes are collected.
        min_age: Age at which unused blobs go where a caller names none.
        interval: Time between collections in `run`.
    """

    def __init__(
        self, database: Database, blobs: Blobs, uploads: Uploads, min_age: timedelta, interval: timedelta
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._closing = threading.Event()
        self._collector = GarbageCollector(database, blobs, min_age, self._closing.is_set, uploads)
        self._interval = interval
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="maintenance")

    def close(self) -> None:
        """Stops what is being done, waits for that, and ends the threads."""
        self._closing.set()
        self._threads.shutdown()

    async def CollectGarbage(self, request: pb.CollectGarbageRequest, context: Context) -> pb.CollectGarbageResponse:
        """See the contract."""
        min_age = request.min_age.ToTimedelta() if request.HasField("min_age") else None
        collected = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self._collector.collect(dry_run=request.dry_run, min_age=min_age)
        )
        return collected_to_proto(collected)

    async def CheckBlobs(self, request: pb.CheckBlobsRequest, context: Context) -> AsyncIterator[pb.CheckBlobsResponse]:
        """See the contract."""
        left = threading.Event()
        events = check_blobs(self._database, self._blobs, lambda: left.is_set() or self._closing.is_set())
        try:
            while (event := await self._step(events)) is not None:
                yield event_to_proto(event)
        finally:
            left.set()

    async def run(self) -> None:
        """Collects garbage at every interval, the first time at once: background work of the server, without an end."""
        while True:
            try:
                collected = await asyncio.get_running_loop().run_in_executor(self._threads, self._collector.collect)
                _log.info("garbage collected", blobs=collected.removed_blobs, bytes=collected.removed_bytes)
            except ModelFoundryError as error:
                _log.warning("garbage not collected", reason=error.message)
            await asyncio.sleep(self._interval.total_seconds())

    async def _step(self, events: Iterator[Finding | Progress]) -> Finding | Progress | None:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: next(events, None))
