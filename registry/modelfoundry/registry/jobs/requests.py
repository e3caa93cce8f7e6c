"""What requests to the queue may say: each part is checked as it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, status_pb2

from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.names import check_digest, check_request_id, parse_parent, shortened
from modelfoundry.registry.jobs.operation import NewJob, ProgressReport
from modelfoundry.values.resources import BlobRef

KIND: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
TEXT_LIMIT: Final = 512
LOG_LINES: Final = 100
LOG_BYTES: Final = 4096
DEFAULT_ATTEMPTS: Final = 3
MOST_ATTEMPTS: Final = 10


def new_job_from_proto(request: queue_pb2.EnqueueOperationRequest) -> NewJob:
    """The work that is to be queued.

    Raises:
        InvalidField: a field is not as the contract says.
    """
    if not 0 <= request.max_attempts <= MOST_ATTEMPTS:
        raise InvalidField(
            f"max_attempts is {request.max_attempts}",
            field="max_attempts",
            hint=f"pass 1 to {MOST_ATTEMPTS}, or 0 for {DEFAULT_ATTEMPTS}",
        )
    if not request.request.type_url:
        raise InvalidField("request is empty", field="request", hint="pack the request to carry out into it")
    return NewJob(
        project=parse_parent(request.parent),
        kind=check_kind(request.kind, "kind"),
        target=check_text(request.target, "target"),
        request=request.request.SerializeToString(deterministic=True),
        cache_key=check_text(request.cache_key, "cache_key"),
        force=request.force,
        request_id=check_request_id(request.request_id),
        max_attempts=request.max_attempts or DEFAULT_ATTEMPTS,
    )


def progress_from_proto(progress: operation_pb2.Progress) -> ProgressReport:
    """How far a job is.

    Raises:
        InvalidField: `fraction` is not in [0, 1].
    """
    if not 0 <= progress.fraction <= 1:
        raise InvalidField(
            f"progress.fraction is {progress.fraction}", field="progress.fraction", hint="pass the share done, 0 to 1"
        )
    check_text(progress.phase, "progress.phase")
    return ProgressReport(phase=progress.phase, payload=progress.SerializeToString())


def log_from_proto(lines: Sequence[operation_pb2.LogLine]) -> list[bytes]:
    """Lines for people, in the form in which they are stored.

    Raises:
        InvalidField: they are too many or too long.
    """
    if len(lines) > LOG_LINES:
        raise InvalidField(f"log has {len(lines)} lines", field="log", hint=f"send at most {LOG_LINES} a report")
    for index, line in enumerate(lines):
        if len(line.text.encode()) > LOG_BYTES:
            raise InvalidField(
                f"log[{index}].text is longer than {LOG_BYTES} bytes",
                field=f"log[{index}].text",
                hint="cut the line or send it in parts",
            )
    return [line.SerializeToString() for line in lines]


def checkpoint_from_proto(checkpoint: blob_pb2.BlobRef) -> BlobRef:
    """The blob from which a job can be taken up again.

    Raises:
        InvalidField: the digest is none.
    """
    return BlobRef(
        digest=check_digest(checkpoint.digest, field="checkpoint.digest"),
        size_bytes=checkpoint.size_bytes,
        media_type=check_text(checkpoint.media_type, "checkpoint.media_type"),
    )


def response_from_proto(response: any_pb2.Any) -> bytes:
    """A result, in the form in which it is stored.

    Raises:
        InvalidField: it is empty.
    """
    if not response.type_url:
        raise InvalidField("response is empty", field="response", hint="pack the result into it")
    return bytes(response.SerializeToString(deterministic=True))


def is_cancelled(error: status_pb2.Status) -> bool:
    """Whether a worker's error says that the job stopped because that was asked for.

    Raises:
        InvalidField: the status is no error.
    """
    if error.code == code_pb2.OK:
        raise InvalidField("error.code is OK", field="error.code", hint="complete the job, or say what went wrong")
    return bool(error.code == code_pb2.CANCELLED)


def seconds_from_proto(
    duration: duration_pb2.Duration, field: str, *, least: float, most: float, default: float
) -> float:
    """A time in seconds; `default` when it is zero, as an unset one is.

    Raises:
        InvalidField: it is out of range.
    """
    seconds = duration.seconds + duration.nanos / 1e9
    if not seconds:
        return default
    if not least <= seconds <= most:
        raise InvalidField(f"{field} is {seconds:g} seconds", field=field, hint=f"pass {least:g} to {most:g} seconds")
    return seconds


def check_kind(kind: str, field: str) -> str:
    """Returns `kind` when it can be one: it is the beginning of its jobs' ids.

    Raises:
        InvalidField: it cannot.
    """
    if not KIND.fullmatch(kind):
        raise InvalidField(
            f"{field}: {shortened(kind)!r} cannot be a kind of work",
            field=field,
            hint="use lower-case letters, digits and '-', beginning with a letter, at most 40 characters",
        )
    return kind


def check_text(text: str, field: str) -> str:
    """Returns `text` when it can be stored with a job and shown in a line.

    Raises:
        InvalidField: it is too long, or has characters that cannot be shown.
    """
    if len(text) > TEXT_LIMIT:
        raise InvalidField(
            f"{field} has {len(text)} characters", field=field, hint=f"pass at most {TEXT_LIMIT} characters"
        )
    if not text.isprintable():
        raise InvalidField(
            f"{field}: {shortened(text)!r} has characters that cannot be shown", field=field, hint="leave them out"
        )
    return text
