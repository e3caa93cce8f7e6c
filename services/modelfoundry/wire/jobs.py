"""Jobs, their events and predictions."""

from __future__ import annotations

from google.longrunning import operations_pb2

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.values.results import (
    Compaction,
    Export,
    ExportedFile,
    ExportFormat,
    JobEvent,
    JobState,
    JobStatus,
    LabelProbability,
    LogWritten,
    Prediction,
    Progress,
    ProgressMade,
    Severity,
    StateChanged,
)
from modelfoundry.wire.enums import enum_from_proto, enum_to_proto
from modelfoundry.wire.figures import forms_from_proto
from modelfoundry.wire.resources import blob_ref_from_proto
from modelfoundry.wire.statuses import error_from_status
from modelfoundry.wire.times import duration_from_proto, time_from_proto


def progress_from_proto(message: operation_pb2.Progress) -> Progress:
    """Message to value."""
    return Progress(
        phase=message.phase,
        fraction=message.fraction,
        done_units=message.done_units,
        total_units=message.total_units,
        unit=message.unit,
        metrics=dict(message.metrics),
        remaining=duration_from_proto(message, "remaining"),
    )


def job_state_from_proto(number: int) -> JobState:
    """Number to value; a state that a newer service knows reads as running."""
    return enum_from_proto(operation_pb2.OperationState, "OPERATION_STATE", number, JobState) or JobState.RUNNING


def job_status_from_proto(message: operations_pb2.Operation) -> JobStatus:
    """Message, metadata unpacked, to value."""
    metadata = operation_pb2.OperationMetadata()
    message.metadata.Unpack(metadata)
    return JobStatus(
        name=message.name,
        kind=metadata.kind,
        target=metadata.target,
        state=job_state_from_proto(metadata.state),
        progress=progress_from_proto(metadata.progress),
        attempt=metadata.attempt,
        cache_hit=metadata.cache_hit,
        request_id=metadata.request_id,
        last_sequence=metadata.last_sequence,
        error=error_from_status(message.error) if message.HasField("error") else None,
        create_time=time_from_proto(metadata, "create_time"),
        start_time=time_from_proto(metadata, "start_time"),
        end_time=time_from_proto(metadata, "end_time"),
        update_time=time_from_proto(metadata, "update_time"),
    )


def job_event_from_proto(message: operation_pb2.OperationEvent) -> JobEvent | None:
    """Message to value; None for a keep-alive and for kinds that a newer service knows."""
    sequence, time = message.sequence, time_from_proto(message, "event_time")
    match message.WhichOneof("event"):
        case "state_change":
            change = message.state_change
            error = error_from_status(change.error) if change.HasField("error") else None
            return StateChanged(sequence=sequence, time=time, state=job_state_from_proto(change.state), error=error)
        case "progress":
            return ProgressMade(sequence=sequence, time=time, progress=progress_from_proto(message.progress))
        case "log":
            severity = enum_from_proto(operation_pb2.Severity, "SEVERITY", message.log.severity, Severity)
            return LogWritten(sequence=sequence, time=time, severity=severity or Severity.INFO, text=message.log.text)
        case _:
            return None


def export_format_to_proto(format_: ExportFormat) -> reuser_service_pb2.ExportFormat.ValueType:
    """Value to number."""
    number: reuser_service_pb2.ExportFormat.ValueType = enum_to_proto(
        reuser_service_pb2.ExportFormat, "EXPORT_FORMAT", format_
    )
    return number


def export_from_proto(message: reuser_service_pb2.ExportResponse) -> Export:
    """Message to value; a format that a newer service knows reads as safetensors."""
    format_ = enum_from_proto(reuser_service_pb2.ExportFormat, "EXPORT_FORMAT", message.format, ExportFormat)
    return Export(
        subject=message.subject,
        format=format_ or ExportFormat.SAFETENSORS,
        files=tuple(ExportedFile(file.path, blob_ref_from_proto(file.content)) for file in message.files),
        max_difference=message.max_difference,
        compact=message.compact,
    )


def compaction_from_proto(message: reuser_service_pb2.CompactResponse) -> Compaction:
    """Message to value."""
    return Compaction(message.module, forms_from_proto(message.forms))


def predictions_from_proto(message: reuser_service_pb2.PredictResponse) -> tuple[Prediction, ...]:
    """Message to values, one an image."""
    return tuple(
        Prediction(
            labels=tuple(LabelProbability(one.label, one.probability) for one in prediction.labels),
            subject=message.subject,
            subject_digest=message.subject_digest,
        )
        for prediction in message.predictions
    )
