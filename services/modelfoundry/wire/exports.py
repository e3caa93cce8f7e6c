"""Exports and compactions."""

from __future__ import annotations

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.types.v1 import exports_pb2
from modelfoundry.values.exports import (
    Export,
    ExportedFile,
    ExportFormat,
    ExportMeasurement,
    FileLatency,
)
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.results import Compaction
from modelfoundry.wire.enums import Members
from modelfoundry.wire.figures import FORMS
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.resources import BLOB_REF

EXPORT_FORMAT = Members(ExportFormat, pb.ExportFormat)
export_format_to_proto = EXPORT_FORMAT.to_proto

WEIGHT_FORMAT = Members(WeightFormat, exports_pb2.WeightFormat)
COMPUTE = Members(Compute, exports_pb2.Compute)

EXPORT = Pair(
    Export,
    pb.ExportResponse,
    Pair(ExportedFile, pb.ExportedFile, BLOB_REF),
    Pair(ExportMeasurement, exports_pb2.ExportMeasurement, Pair(FileLatency, exports_pb2.FileLatency)),
    otherwise={"weights": WeightFormat.FP32, "compute": Compute.FP32},  # services of before say nothing of them
)
export_to_proto = EXPORT.to_proto
export_from_proto = EXPORT.from_proto

COMPACTION = Pair(Compaction, pb.CompactResponse, FORMS)
compaction_to_proto = COMPACTION.to_proto
compaction_from_proto = COMPACTION.from_proto
