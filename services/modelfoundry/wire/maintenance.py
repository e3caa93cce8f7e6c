"""Findings and summaries of maintenance."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import maintenance_service_pb2 as pb
from modelfoundry.values.maintenance import BlobFinding, CheckProgress, FindingKind, GarbageSummary
from modelfoundry.wire.enums import enum_from_proto


def garbage_summary_from_proto(message: pb.CollectGarbageResponse) -> GarbageSummary:
    """Message to value."""
    return GarbageSummary(
        removed_blobs=message.removed_blobs,
        removed_bytes=message.removed_bytes,
        removed_strays=message.removed_strays,
        removed_stray_bytes=message.removed_stray_bytes,
        kept_blobs=message.kept_blobs,
        kept_bytes=message.kept_bytes,
    )


def check_event_from_proto(message: pb.CheckBlobsResponse) -> BlobFinding | CheckProgress:
    """Message to value. A finding of a kind that this SDK does not know reads as corrupt."""
    if message.WhichOneof("event") == "finding":
        finding = message.finding
        kind = enum_from_proto(pb.FindingKind, "FINDING_KIND", finding.kind, FindingKind)
        return BlobFinding(
            kind=kind or FindingKind.CORRUPT,
            digest=finding.digest,
            key=finding.key,
            size_bytes=finding.size_bytes,
            resources=tuple(finding.resources),
        )
    progress = message.progress
    return CheckProgress(
        checked_blobs=progress.checked_blobs,
        checked_bytes=progress.checked_bytes,
        findings=progress.findings,
        complete=progress.complete,
    )
