"""Jobs, their events, and what the reuser's jobs result in."""

from __future__ import annotations

from collections.abc import Iterable

from google.longrunning import operations_pb2

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.values.exports import Export, ExportedFile, ExportFormat
from modelfoundry.values.results import (
    Compaction,
    JobEvent,
    JobState,
    JobStatus,
    LabelProbability,
    LogLine,
    LogWritten,
    Prediction,
    Progress,
    ProgressMade,
    Severity,
    StateChanged,
)
from modelfoundry.wire.enums import Members
from modelfoundry.wire.figures import FORMS
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.resources import BLOB_REF
from modelfoundry.wire.statuses import error_from_status
from modelfoundry.wire.well_known import timestamp_from_proto

JOB_STATE = Members(JobState, operation_pb2.OperationState)

PROGRESS = Pair(Progress, operation_pb2.Progress)
progress_to_proto = PROGRESS.to_proto
progress_from_proto = PROGRESS.from_proto

LOG_LINE = Pair(LogLine, operation_pb2.LogLine, otherwise={"severity": Severity.INFO})
log_line_to_proto = LOG_LINE.to_proto

JOB_STATUS = Pair(
    JobStatus,
    operation_pb2.OperationMetadata,
    PROGRESS,
    otherwise={"state": JobState.RUNNING},
    elsewhere={"name", "error"},
)

EXPORT_FORMAT = Members(ExportFormat, reuser_service_pb2.ExportFormat)
export_format_to_proto = EXPORT_FORMAT.to_proto

EXPORT = Pair(Export, reuser_service_pb2.ExportResponse, Pair(ExportedFile, reuser_service_pb2.ExportedFile, BLOB_REF))
export_to_proto = EXPORT.to_proto
export_from_proto = EXPORT.from_proto

COMPACTION = Pair(Compaction, reuser_service_pb2.CompactResponse, FORMS)
compaction_to_proto = COMPACTION.to_proto
compaction_from_proto = COMPACTION.from_proto

LABEL_PROBABILITY = Pair(LabelProbability, reuser_service_pb2.LabelProbability)


def job_status_from_proto(message: operations_pb2.Operation) -> JobStatus:
    """Message, metadata unpacked, to value; a state that a newer service knows reads as running."""
    metadata = operation_pb2.OperationMetadata()
    message.metadata.Unpack(metadata)
    error = error_from_status(message.error) if message.HasField("error") else None
    return JOB_STATUS.from_proto(metadata, name=message.name, error=error)


def job_event_from_proto(message: operation_pb2.OperationEvent) -> JobEvent | None:
    """Message to value; None for a keep-alive and for kinds that a newer service knows."""
    time = timestamp_from_proto(message.event_time) if message.HasField("event_time") else None
    match message.WhichOneof("event"):
        case "state_change":
            return StateChanged(
                sequence=message.sequence,
                time=time,
                state=JOB_STATE.from_proto(message.state_change.state) or JobState.RUNNING,
                error=error_from_status(message.state_change.error) if message.state_change.HasField("error") else None,
            )
        case "progress":
            return ProgressMade(sequence=message.sequence, time=time, progress=progress_from_proto(message.progress))
        case "log":
            line = LOG_LINE.from_proto(message.log)
            return LogWritten(sequence=message.sequence, time=time, severity=line.severity, text=line.text)
        case _:
            return None


def prediction_to_proto(labels: Iterable[LabelProbability]) -> reuser_service_pb2.Prediction:
    """The message of the answer for one image."""
    return reuser_service_pb2.Prediction(labels=map(LABEL_PROBABILITY.to_proto, labels))


def predictions_from_proto(message: reuser_service_pb2.PredictResponse) -> tuple[Prediction, ...]:
    """Message to values, one an image."""
    return tuple(
        Prediction(
            labels=tuple(map(LABEL_PROBABILITY.from_proto, prediction.labels)),
            subject=message.subject,
            subject_digest=message.subject_digest,
        )
        for prediction in message.predictions
    )
