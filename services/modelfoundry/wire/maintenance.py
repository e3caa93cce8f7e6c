"""Findings and summaries of maintenance."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import maintenance_service_pb2 as pb
from modelfoundry.values.maintenance import BlobFinding, CheckProgress, FindingKind, GarbageSummary
from modelfoundry.wire.pairs import OneOf, Pair

GARBAGE_SUMMARY = Pair(GarbageSummary, pb.CollectGarbageResponse)
garbage_summary_to_proto = GARBAGE_SUMMARY.to_proto
garbage_summary_from_proto = GARBAGE_SUMMARY.from_proto

CHECK_EVENT: OneOf[BlobFinding | CheckProgress, pb.CheckBlobsResponse] = OneOf(
    pb.CheckBlobsResponse,
    finding=Pair(BlobFinding, pb.BlobFinding, otherwise={"kind": FindingKind.CORRUPT}),
    progress=Pair(CheckProgress, pb.CheckProgress),
)
check_event_to_proto = CHECK_EVENT.to_proto
check_event_from_proto = CHECK_EVENT.from_proto
