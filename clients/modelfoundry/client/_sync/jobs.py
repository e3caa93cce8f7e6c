# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Jobs: long work that goes on without the caller."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from modelfoundry import errors
from modelfoundry.api.operations.v1 import operation_events_service_pb2
from modelfoundry.client._sync.pages import each
from modelfoundry.client._sync.results import job_result
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import Transport
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import full_name
from modelfoundry.values.results import JobEvent, JobResult, JobStatus, LogWritten, Progress, ProgressMade, Severity
from modelfoundry.wire.jobs import job_event_from_proto, job_status_from_proto

Result_co = TypeVar("Result_co", covariant=True)


class Job(Generic[Result_co]):
    """A job and how to follow it. The result's type is that of the call that started it.

    Attributes:
        status: The job as it was last seen; `refresh` renews it.
    """

    def __init__(self, transport: Transport, operation: operations_pb2.Operation) -> None:
        self._transport = transport
        self._operation = operation
        self.status: JobStatus = job_status_from_proto(operation)

    @property
    def name(self) -> str:
        """`projects/{project}/operations/{operation}`."""
        return self.status.name

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.status.id

    def refresh(self) -> JobStatus:
        """Asks where the job stands."""
        request = operations_pb2.GetOperationRequest(name=self.name)
        self._operation = self._transport.unary(
            Service.REGISTRY, self._transport.stubs.operations.GetOperation, request
        )
        self.status = job_status_from_proto(self._operation)
        return self.status

    def events(self, after: int = 0) -> Iterator[JobEvent]:
        """Events of the job, past ones first, until it is done. A broken stream is opened again; nothing is missed.

        Args:
            after: Only events with a larger sequence number. 0: from the beginning.

        Raises:
            Unavailable: the registry cannot be reached, after several attempts that brought nothing.
        """
        for event in self._events(after, float("inf")):
            yield event

    def wait(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        timeout: float | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> Result_co:
        """Waits until the job is done and returns its result.

        Args:
            on_progress: Called with how far the job is, at once where that is known, and whenever it tells.
            timeout: Seconds to wait at most. The job goes on when they are over.
            on_warning: Called with every warning that the worker writes, for example of too few samples.

        Raises:
            DeadlineExceeded: `timeout` is over.
            Cancelled: the job was cancelled.
            ModelFoundryError: the job failed, with the class and hint that the worker gave.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        if not self._operation.done:
            if on_progress is not None and self.status.progress != Progress():
                on_progress(self.status.progress)
            for event in self._events(self.status.last_sequence, deadline):
                if on_progress is not None and isinstance(event, ProgressMade):
                    on_progress(event.progress)
                if on_warning is not None and isinstance(event, LogWritten) and event.severity is Severity.WARNING:
                    on_warning(event.text)
            self.refresh()
        if self.status.error is not None:
            raise self.status.error
        return cast("Result_co", job_result(self._transport, self._operation.response))

    def cancel(self) -> None:
        """Asks the job to stop, which takes a few seconds. A job that is done stays as it is."""
        request = operations_pb2.CancelOperationRequest(name=self.name)
        self._transport.unary(Service.REGISTRY, self._transport.stubs.operations.CancelOperation, request)

    def _events(self, after: int, deadline: float) -> Iterator[JobEvent]:
        failures = 0
        while True:
            request = operation_events_service_pb2.WatchOperationRequest(name=self.name, after_sequence=after)
            try:
                seconds = self._stream_seconds(deadline)
                method = self._transport.stubs.events.WatchOperation
                with self._transport.receive(Service.REGISTRY, method, request, timeout=seconds) as messages:
                    for message in messages:
                        failures, after = 0, max(after, message.sequence)
                        event = job_event_from_proto(message)
                        if event is not None:
                            yield event
            except (errors.Unavailable, errors.DeadlineExceeded) as error:
                failures += 1
                if failures >= self._transport.retries.without_progress or time.monotonic() >= deadline:
                    raise self._given_up(error, deadline) from error
                self._transport.pause(self._transport.retries.backoff(failures))
            else:
                return  # the server ends the stream when the job is done, and only then

    def _stream_seconds(self, deadline: float) -> float:
        return max(0.001, min(self._transport.timeouts.watch, deadline - time.monotonic()))

    def _given_up(self, error: errors.ModelFoundryError, deadline: float) -> errors.ModelFoundryError:
        if time.monotonic() < deadline:
            return error
        return errors.DeadlineExceeded(
            f"{self.name} is not done yet",
            hint=f"it goes on; wait again, or follow it with `modelfoundry job watch {self.id}`",
            metadata={"operation": self.name},
        )


def start(transport: Transport, service: Service, method: Any, request: Message) -> Job[Any]:
    """Calls what queues a job. The service checks everything that it can first, which may take longer than a read."""
    return Job(transport, transport.unary(service, method, request, timeout=transport.timeouts.check))


class Jobs:
    """Jobs of the project. Reached as `client.jobs`."""

    def __init__(self, transport: Transport, parent: str) -> None:
        self._transport = transport
        self._parent = parent

    def get(self, job: str) -> Job[JobResult]:
        """Returns a job by id or name.

        Raises:
            NotFound: there is none.
        """
        request = operations_pb2.GetOperationRequest(name=self._full_name(job))
        operation = self._transport.unary(Service.REGISTRY, self._transport.stubs.operations.GetOperation, request)
        return Job(self._transport, operation)

    def list(self, filter: str = "") -> Iterator[Job[JobResult]]:
        """Jobs that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `state = "RUNNING"`.
        """
        request = operations_pb2.ListOperationsRequest(name=self._parent, filter=filter)
        method = self._transport.stubs.operations.ListOperations
        for operation in each(self._transport, method, request, "operations"):
            yield Job(self._transport, operation)

    def cancel(self, job: str) -> None:
        """Asks a job to stop, which takes a few seconds. A job that is done stays as it is."""
        request = operations_pb2.CancelOperationRequest(name=self._full_name(job))
        self._transport.unary(Service.REGISTRY, self._transport.stubs.operations.CancelOperation, request)

    def watch(self, job: str, after: int = 0) -> Iterator[JobEvent]:
        """Events of a job, past ones first, until it is done; the same as `get(job).events(after)`."""
        followed = self.get(job)
        for event in followed.events(after):
            yield event

    def _full_name(self, job: str) -> str:
        return full_name(job, Kind.OPERATION, self._parent)
