"""MaintenanceService over gRPC, and garbage collection by the clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import grpc
import structlog

from modelfoundry.api.registry.v1 import maintenance_service_pb2 as pb
from modelfoundry.api.registry.v1 import maintenance_service_pb2_grpc
from modelfoundry.errors import ModelFoundryError
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.database import Database
from modelfoundry.registry.maintenance.check import check_blobs
from modelfoundry.registry.maintenance.garbage import GarbageCollector
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.runtime.server import Background, Service
from modelfoundry.wire.maintenance import check_event_to_proto, garbage_summary_to_proto

Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger(__name__)


class MaintenanceServicer(maintenance_service_pb2_grpc.MaintenanceServiceServicer, Part):
    """Serves `modelfoundry.api.registry.v1.MaintenanceService`, in threads of its own.

    Args:
        database: Where rows are.
        blobs: What is looked after.
        uploads: Whose abandoned bytes are collected.
        min_age: Age at which unused blobs go where a caller names none.
        interval: Time between collections by the clock; 0: there are none.
    """

    def __init__(
        self, database: Database, blobs: Blobs, uploads: Uploads, min_age: timedelta, interval: timedelta
    ) -> None:
        Part.__init__(self, "maintenance", 2)
        self._database = database
        self._blobs = blobs
        self._closing = threading.Event()
        self._collector = GarbageCollector(database, blobs, min_age, self._closing.is_set, uploads)
        self._interval = interval

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        add = maintenance_service_pb2_grpc.add_MaintenanceServiceServicer_to_server
        return [service_of(pb.DESCRIPTOR, add, self)]

    def background(self) -> Sequence[Background]:
        """See `Part`."""
        return [self.run] if self._interval else []

    def close(self) -> None:
        """Stops what is being done, waits for that, and ends the threads."""
        self._closing.set()
        super().close()

    async def CollectGarbage(self, request: pb.CollectGarbageRequest, context: Context) -> pb.CollectGarbageResponse:
        """See the contract."""
        min_age = request.min_age.ToTimedelta() if request.HasField("min_age") else None
        collected = await self.threads.run(self._collector.collect, dry_run=request.dry_run, min_age=min_age)
        return garbage_summary_to_proto(collected)

    async def CheckBlobs(self, request: pb.CheckBlobsRequest, context: Context) -> AsyncIterator[pb.CheckBlobsResponse]:
        """See the contract."""
        left = threading.Event()
        events = check_blobs(self._database, self._blobs, lambda: left.is_set() or self._closing.is_set())
        try:
            while (event := await self.threads.run(next, events, None)) is not None:
                yield check_event_to_proto(event)
        finally:
            left.set()

    async def run(self) -> None:
        """Collects garbage at every interval, the first time at once: background work of the server, without an end."""
        while True:
            try:
                collected = await self.threads.run(self._collector.collect)
                _log.info("garbage collected", blobs=collected.removed_blobs, bytes=collected.removed_bytes)
            except ModelFoundryError as error:
                _log.warning("garbage not collected", reason=error.message)
            await asyncio.sleep(self._interval.total_seconds())
