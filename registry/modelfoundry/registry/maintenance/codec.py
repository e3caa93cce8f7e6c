"""What maintenance found and did, as messages."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.registry.v1 import maintenance_service_pb2 as pb
from modelfoundry.registry.maintenance.check import Fault, Finding, Progress
from modelfoundry.registry.maintenance.garbage import Collected

_KINDS: Final = {
    Fault.CORRUPT: pb.FINDING_KIND_CORRUPT,
    Fault.MISSING: pb.FINDING_KIND_MISSING,
    Fault.STRAY: pb.FINDING_KIND_STRAY,
}


def collected_to_proto(collected: Collected) -> pb.CollectGarbageResponse:
    """What a garbage collection did."""
    return pb.CollectGarbageResponse(
        removed_blobs=collected.removed_blobs,
        removed_bytes=collected.removed_bytes,
        removed_strays=collected.removed_strays,
        removed_stray_bytes=collected.removed_stray_bytes,
        kept_blobs=collected.kept_blobs,
        kept_bytes=collected.kept_bytes,
    )


def event_to_proto(event: Finding | Progress) -> pb.CheckBlobsResponse:
    """A finding, or how far a check is."""
    if isinstance(event, Progress):
        progress = pb.CheckProgress(
            checked_blobs=event.blobs, checked_bytes=event.size, findings=event.findings, complete=event.complete
        )
        return pb.CheckBlobsResponse(progress=progress)
    finding = pb.BlobFinding(
        kind=_KINDS[event.fault],
        digest=event.digest,
        key=event.key,
        size_bytes=event.size,
        resources=event.resources,
    )
    return pb.CheckBlobsResponse(finding=finding)
