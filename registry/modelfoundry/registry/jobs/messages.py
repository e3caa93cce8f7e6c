"""Jobs, their events and leases as messages. What others packed or serialised goes through unread."""

from __future__ import annotations

from datetime import datetime

from google.longrunning import operations_pb2

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.names import ResourceName
from modelfoundry.registry.jobs.operation import EventType, Lease, Operation, StoredEvent
from modelfoundry.values.results import JobState
from modelfoundry.wire.jobs import JOB_STATE
from modelfoundry.wire.resources import blob_ref_to_proto
from modelfoundry.wire.well_known import timestamp_to_proto


def operation_to_proto(operation: Operation) -> operations_pb2.Operation:
    """The job as people and services see it."""
    metadata = operation_pb2.OperationMetadata(
        kind=operation.kind,
        target=operation.target,
        state=JOB_STATE.to_proto(operation.state),
        attempt=operation.attempt,
        request_id=operation.request_id,
        cache_hit=operation.cache_hit,
        create_time=timestamp_to_proto(operation.create_time),
        start_time=None if operation.start_time is None else timestamp_to_proto(operation.start_time),
        end_time=None if operation.end_time is None else timestamp_to_proto(operation.end_time),
        update_time=timestamp_to_proto(operation.update_time),
        last_sequence=operation.last_sequence,
    )
    if operation.progress is not None:
        metadata.progress.ParseFromString(operation.progress)
    if operation.state is JobState.SUCCEEDED:
        # Said here and not by whoever reports: a search that stopped early, a job that waited for others and one whose
        # last report was overtaken by its result are done all the same, also those of before.
        metadata.progress.fraction = 1.0
        metadata.progress.ClearField("remaining")
    message = operations_pb2.Operation(name=str(operation.name), done=operation.done)
    message.metadata.Pack(metadata)
    if operation.response is not None:
        message.response.ParseFromString(operation.response)
    if operation.error is not None:
        message.error.ParseFromString(operation.error)
    return message


def event_to_proto(name: ResourceName, event: StoredEvent) -> operation_pb2.OperationEvent:
    """An event as it is streamed and listed."""
    message = operation_pb2.OperationEvent(
        operation=str(name), sequence=event.sequence, event_time=timestamp_to_proto(event.time)
    )
    match event.type:
        case EventType.STATE_CHANGE:
            message.state_change.state = JOB_STATE.to_proto(event.state or JobState.QUEUED)
            if event.payload:
                message.state_change.error.ParseFromString(event.payload)
        case EventType.PROGRESS:
            message.progress.ParseFromString(event.payload)
        case EventType.LOG:
            message.log.ParseFromString(event.payload)
    return message


def keep_alive(name: ResourceName, sequence: int, now: datetime) -> operation_pb2.OperationEvent:
    """The event that says that nothing happened after `sequence`."""
    return operation_pb2.OperationEvent(
        operation=str(name), sequence=sequence, event_time=timestamp_to_proto(now), keep_alive=operation_pb2.KeepAlive()
    )


def lease_to_proto(lease: Lease) -> queue_pb2.LeasedOperation:
    """The job as its worker gets it."""
    message = queue_pb2.LeasedOperation(
        name=str(lease.name), kind=lease.kind, attempt=lease.attempt, lease_token=lease.token
    )
    message.request.ParseFromString(lease.request)
    message.lease_duration.FromMicroseconds(round(lease.seconds * 1e6))
    if lease.checkpoint is not None:
        message.checkpoint.CopyFrom(blob_ref_to_proto(lease.checkpoint))
    return message
