"""A worker's line to the job queue: blocking, for threads, patient with a registry that is away."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1.job_queue_service_pb2_grpc import JobQueueServiceStub
from modelfoundry.errors import Internal, LeaseLost, Unavailable
from modelfoundry.runtime.jobs.ticket import Ticket
from modelfoundry.values.resources import BlobRef
from modelfoundry.values.results import LogLine, Progress
from modelfoundry.wire.jobs import log_line_to_proto, progress_to_proto
from modelfoundry.wire.resources import blob_ref_to_proto
from modelfoundry.wire.statuses import reason_of

Response = TypeVar("Response")

CALL_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 600.0
LONGEST_PAUSE_SECONDS: Final = 2.0
PASSING_CODES: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class LeasedJob:
    """The queue's methods for one leased job.

    Args:
        channel: To the registry.
        ticket: Name and lease of the job.
        given_up: Set when answers are of no use any more; ends all waiting.
    """

    def __init__(self, channel: grpc.Channel, ticket: Ticket, given_up: threading.Event) -> None:
        self._stub = JobQueueServiceStub(channel)
        self._name = ticket.name
        self._token = ticket.lease_token
        self._given_up = given_up

    def report(self, progress: Progress | None, lines: Sequence[LogLine]) -> bool:
        """Prolongs the lease, once, without patience; returns whether cancelling was asked for.

        Raises:
            LeaseLost: another worker has the job.
            Unavailable: the registry cannot be reached.
        """
        request = queue_pb2.ReportProgressRequest(
            name=self._name,
            lease_token=self._token,
            progress=None if progress is None else progress_to_proto(progress),
            log=map(log_line_to_proto, lines),
        )
        with _Failures():
            return self._stub.ReportProgress(request, timeout=CALL_SECONDS).cancel_requested

    def save_checkpoint(self, checkpoint: BlobRef) -> None:
        """Notes where the job can be taken up again."""
        request = queue_pb2.SaveCheckpointRequest(
            name=self._name, lease_token=self._token, checkpoint=blob_ref_to_proto(checkpoint)
        )
        self._patiently(lambda: self._stub.SaveCheckpoint(request, timeout=CALL_SECONDS))

    def complete(self, response: Message) -> None:
        """Ends the job with its result."""
        packed = any_pb2.Any()
        packed.Pack(response)
        request = queue_pb2.CompleteOperationRequest(name=self._name, lease_token=self._token, response=packed)
        self._patiently(lambda: self._stub.CompleteOperation(request, timeout=CALL_SECONDS))

    def fail(self, status: status_pb2.Status) -> None:
        """Ends the job with an error."""
        request = queue_pb2.FailOperationRequest(name=self._name, lease_token=self._token, error=status)
        self._patiently(lambda: self._stub.FailOperation(request, timeout=CALL_SECONDS))

    def _patiently(self, call: Callable[[], Response]) -> Response:
        """Calls until the registry answers: hours of work must not be lost because it is restarted just now."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        pause = 0.1
        while True:
            try:
                with _Failures():
                    return call()
            except Unavailable:
                if time.monotonic() > give_up_at:
                    raise
            if self._given_up.wait(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - not a secret
                raise LeaseLost(f"{self._name} was taken from this worker")
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class _Failures:
    """Translates the failures of a queue call."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, grpc.RpcError):
            return
        code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
        details = error.details() if isinstance(error, grpc.Call) else str(error)
        if reason_of(error) == LeaseLost.reason:
            raise LeaseLost(details or "the lease was lost") from error
        if code in PASSING_CODES:
            raise Unavailable(f"the registry cannot be reached: {details}") from error
        raise Internal(f"the registry refused a call about a job: {code}: {details}") from error
