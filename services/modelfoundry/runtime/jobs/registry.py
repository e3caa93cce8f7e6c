"""The dispatcher's line to the registry: leases jobs, asks whether they are wanted, gives them back."""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Sequence
from typing import Final, TypeVar

import grpc
import structlog
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import duration_pb2

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.operations.v1.job_queue_service_pb2_grpc import JobQueueServiceStub
from modelfoundry.errors import LeaseLost
from modelfoundry.wire.statuses import reason_of

Request = TypeVar("Request")
Response = TypeVar("Response")

LEASE_WAIT_SECONDS: Final = 20
CALL_SECONDS: Final = 5.0
WISH_CALL_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


class Wish(enum.Enum):
    """What is to become of a running job."""

    GO_ON = "go on"
    END = "end"
    """It was cancelled, or is done: its worker should come to an end."""
    DROP = "drop"
    """Another worker has it, or nobody: its worker must stop at once."""


class JobRegistry:
    """The registry's job queue, for a dispatcher.

    Args:
        channel: To the registry.
        kinds: Kinds of jobs that are leased.
        owner: Who leases, for logs.
        lease_seconds: How long a lease lasts without a report.
    """

    def __init__(self, channel: grpc.aio.Channel, *, kinds: Sequence[str], owner: str, lease_seconds: float) -> None:
        self._queue = JobQueueServiceStub(channel)
        self._operations = operations_pb2_grpc.OperationsStub(channel)  # type: ignore[no-untyped-call]
        self._away = ""
        self._request = queue_pb2.LeaseOperationRequest(
            kinds=kinds,
            owner=owner,
            lease_duration=_duration(lease_seconds),
            wait=duration_pb2.Duration(seconds=LEASE_WAIT_SECONDS),
        )

    async def lease(self) -> queue_pb2.LeasedOperation:
        """Waits for a job, however long the registry is away."""
        pause = 0.2
        while True:
            try:
                response = await _call(self._queue.LeaseOperation, self._request, LEASE_WAIT_SECONDS + CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                self._note_away(error)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            self._note_back()
            pause = 0.2
            if response.HasField("leased"):
                return response.leased

    async def wish(self, leased: queue_pb2.LeasedOperation) -> Wish:
        """What is to become of a job; a registry that does not answer wants it to go on."""
        request = operations_pb2.GetOperationRequest(name=leased.name)
        try:
            operation = await _call(self._operations.GetOperation, request, WISH_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Wish.DROP if error.code() is grpc.StatusCode.NOT_FOUND else Wish.GO_ON
        metadata = operation_pb2.OperationMetadata()
        operation.metadata.Unpack(metadata)
        if metadata.attempt != leased.attempt or metadata.state == operation_pb2.OPERATION_STATE_QUEUED:
            return Wish.DROP
        return Wish.GO_ON if metadata.state == operation_pb2.OPERATION_STATE_RUNNING else Wish.END

    async def release(self, leased: queue_pb2.LeasedOperation, cause: str, *, patience: float) -> None:
        """Gives a job back whose worker is gone; after `patience` seconds, leaves that to the end of its lease."""
        request = queue_pb2.ReleaseOperationRequest(name=leased.name, lease_token=leased.lease_token, cause=cause)
        try:
            async with asyncio.timeout(patience):
                await self._release(request)
        except TimeoutError:
            _log.warning("a job could not be given back; its lease will run out", operation=leased.name)

    async def _release(self, request: queue_pb2.ReleaseOperationRequest) -> None:
        while True:
            try:
                await _call(self._queue.ReleaseOperation, request, CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) == LeaseLost.reason or error.code() is grpc.StatusCode.NOT_FOUND:
                    return
                self._note_away(error)
                await asyncio.sleep(0.5)
            else:
                return

    def _note_away(self, error: grpc.aio.AioRpcError) -> None:
        problem = f"{error.code().name}: {error.details()}"
        if error.code().name not in self._away:
            _log.warning("the job queue does not answer; trying again", cause=problem)
            self._away = problem

    def _note_back(self) -> None:
        if self._away:
            _log.info("the job queue answers again")
            self._away = ""


async def _call(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, seconds: float
) -> Response:
    call = method(request, timeout=seconds)
    try:
        return await call
    finally:
        call.cancel()  # an abandoned call of grpc.aio would live on


def _duration(seconds: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
