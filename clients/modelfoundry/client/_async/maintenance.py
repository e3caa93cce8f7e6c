"""Looking after the registry's bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from modelfoundry.api.registry.v1 import maintenance_service_pb2 as pb
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.maintenance import BlobFinding, CheckProgress, GarbageSummary
from modelfoundry.wire.maintenance import check_event_from_proto, garbage_summary_from_proto

LONGEST_SECONDS = 24 * 3600.0
"""Deadline of work whose length is that of the whole store."""


class AsyncMaintenance:
    """Garbage collection and checks of the registry. Reached as `client.maintenance`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._stubs = transport.stubs

    async def collect_garbage(self, *, dry_run: bool = False, min_age: timedelta | None = None) -> GarbageSummary:
        """Removes blobs that nothing uses.

        Args:
            dry_run: Only count.
            min_age: Age since a blob was last uploaded or asked for. None: the registry's setting.

        Raises:
            InUse: a backup is being made.
            InvalidField: `min_age` is negative.
        """
        request = pb.CollectGarbageRequest(dry_run=dry_run)
        if min_age is not None:
            request.min_age.FromTimedelta(min_age)
        method = self._stubs.maintenance.CollectGarbage
        return garbage_summary_from_proto(
            await self._transport.unary(Service.REGISTRY, method, request, timeout=LONGEST_SECONDS)
        )

    async def check_blobs(self) -> AsyncIterator[BlobFinding | CheckProgress]:
        """Reads every blob again: findings as they are made, and progress, which is `complete` at the end."""
        method = self._stubs.maintenance.CheckBlobs
        request = pb.CheckBlobsRequest()
        async with self._transport.receive(Service.REGISTRY, method, request, timeout=LONGEST_SECONDS) as messages:
            async for message in messages:
                yield check_event_from_proto(message)
