"""Jobs and their events."""

from __future__ import annotations

from google.longrunning import operations_pb2

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.values.results import (
    JobEvent,
    JobState,
    JobStatus,
    LogLine,
    LogWritten,
    Progress,
    ProgressMade,
    Severity,
    StateChanged,
)
from modelfoundry.wire.enums import Members
from modelfoundry.wire.pairs import Pair
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
