"""Domain errors as `google.rpc.Status`, the form in which failures cross the wire and are stored in jobs, and back."""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from modelfoundry import errors

DOMAIN: Final = "modelfoundry.dev"
STATUS_CODE_KEY: Final = "status_code"
DETAILS_KEY: Final = "grpc-status-details-bin"
INTERNAL_MESSAGE: Final = "internal error"
RETRY_SECONDS: Final = 1

# A status travels in trailing metadata, which gRPC refuses above 8 KiB. The message is in it twice.
MESSAGE_LIMIT: Final = 1024
METADATA_LIMIT: Final = 512
DETAILS_LIMIT: Final = 4096

STATUS_BY_ERROR: Final[dict[type[errors.ModelFoundryError], grpc.StatusCode]] = {
    errors.InvalidField: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownLabel: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownArchitecture: grpc.StatusCode.INVALID_ARGUMENT,
    errors.DatasetMismatch: grpc.StatusCode.INVALID_ARGUMENT,
    errors.WeightsMismatch: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MalformedFile: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NonFiniteWeights: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TestSplitSealed: grpc.StatusCode.INVALID_ARGUMENT,
    errors.DigestMismatch: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RequestIdReused: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidImage: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.BlobMissing: grpc.StatusCode.FAILED_PRECONDITION,
    errors.InUse: grpc.StatusCode.FAILED_PRECONDITION,
    errors.UploadIncomplete: grpc.StatusCode.FAILED_PRECONDITION,
    errors.UnsupportedModel: grpc.StatusCode.FAILED_PRECONDITION,
    errors.DeviceUnavailable: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ExportMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ConstraintUnmet: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NonFiniteOutputs: grpc.StatusCode.FAILED_PRECONDITION,
    errors.WrongOffset: grpc.StatusCode.OUT_OF_RANGE,
    errors.CursorExpired: grpc.StatusCode.OUT_OF_RANGE,
    errors.EtagMismatch: grpc.StatusCode.ABORTED,
    errors.LeaseLost: grpc.StatusCode.ABORTED,
    errors.StorageFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.CorruptBlob: grpc.StatusCode.DATA_LOSS,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.WorkerLost: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}

# For statuses without our details: from a proxy, from gRPC itself, or from a service that is not ours.
ERROR_BY_CODE: Final[dict[grpc.StatusCode, type[errors.ModelFoundryError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidField,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.OUT_OF_RANGE: errors.WrongOffset,
    grpc.StatusCode.DATA_LOSS: errors.CorruptBlob,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.StorageFull,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.CANCELLED: errors.Cancelled,
}
_CODE_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


def code_for(error: errors.ModelFoundryError) -> grpc.StatusCode:
    """The gRPC code of a domain error; a subclass of a listed class has the code of that class."""
    listed = (STATUS_BY_ERROR[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUS_BY_ERROR)
    return next(listed, grpc.StatusCode.INTERNAL)


def status_for(error: errors.ModelFoundryError, *, request_id: str = "") -> status_pb2.Status:
    """The status of a domain error, with `ErrorInfo` and what else helps the caller.

    Args:
        error: What went wrong.
        request_id: Names the call in the server's log; told with errors that only the log explains.

    Returns:
        A status of at most about 6 KiB: long texts and long lists of violations are cut, and say so.
    """
    code = code_for(error)
    status = status_pb2.Status(code=code.value[0], message=_cut(error.message, MESSAGE_LIMIT))
    _add(status, _error_info(error, code, request_id))
    if resource := error.metadata.get("resource"):
        _add(status, _resource_info(error, resource))
    if code is grpc.StatusCode.UNAVAILABLE:
        _add(status, error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=RETRY_SECONDS)))
    if code is grpc.StatusCode.INTERNAL and request_id:
        _add(status, error_details_pb2.RequestInfo(request_id=request_id))
    if request := _bad_request(error, code, room=DETAILS_LIMIT - status.ByteSize()):
        _add(status, request)
    return status


def internal_status(request_id: str) -> status_pb2.Status:
    """The status of a failure that was not foreseen: says nothing but where in the log to look."""
    return status_for(
        errors.Internal(
            INTERNAL_MESSAGE,
            hint=f"search the server's log for {request_id}",
            metadata={"request_id": request_id},
        ),
        request_id=request_id,
    )


def error_from_status(status: status_pb2.Status) -> errors.ModelFoundryError:
    """The domain error in a `google.rpc.Status`, for example that of a failed job."""
    code = _CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    info = _info_in(status)
    metadata = dict(info.metadata) if info is not None else {}
    by_code = ERROR_BY_CODE.get(code, errors.Internal)
    error_class = by_code if info is None else errors.ERROR_BY_REASON.get(info.reason, by_code)
    field, hint = metadata.pop("field", ""), metadata.pop("hint", "")
    return error_class(
        status.message or code.name,
        field=field,
        hint=hint,
        violations=_violations(status),
        metadata={**metadata, STATUS_CODE_KEY: code.name},
    )


def is_ours(status: status_pb2.Status) -> bool:
    """Whether a status was made by `status_for`, here or in another process."""
    return _info_in(status) is not None


def status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    """The status that a failed call brought along; None when it brought none."""
    trailers = error.trailing_metadata() if isinstance(error, grpc.aio.AioRpcError | grpc.Call) else None
    for key, value in trailers or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:  # a proxy may have written anything
                return None
    return None


def reason_of(error: grpc.RpcError) -> str:
    """The `ErrorInfo.reason` that a failed call brought along; empty when it brought none."""
    status = status_of(error)
    info = None if status is None else _info_in(status)
    return "" if info is None else str(info.reason)


def _info_in(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _violations(status: status_pb2.Status) -> tuple[errors.FieldViolation, ...]:
    request = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Unpack(request):
            return tuple(errors.FieldViolation(one.field, one.description) for one in request.field_violations)
    return ()


def _error_info(error: errors.ModelFoundryError, code: grpc.StatusCode, request_id: str) -> Message:
    metadata = {**error.metadata, "field": error.field, "hint": error.hint}
    if code is grpc.StatusCode.INTERNAL:
        metadata["request_id"] = request_id
    cut = {key: _cut(value, METADATA_LIMIT) for key, value in metadata.items() if value}
    return error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=cut)


def _resource_info(error: errors.ModelFoundryError, resource: str) -> Message:
    parts = resource.split("/")
    return error_details_pb2.ResourceInfo(
        resource_type=f"{DOMAIN}/{parts[-2] if len(parts) > 1 else 'resource'}",
        resource_name=_cut(resource, METADATA_LIMIT),
        description=_cut(error.message, METADATA_LIMIT),
    )


def _bad_request(error: errors.ModelFoundryError, code: grpc.StatusCode, room: int) -> Message | None:
    violations = error.violations
    if not violations and error.field and code is grpc.StatusCode.INVALID_ARGUMENT:
        violations = (errors.FieldViolation(error.field, error.message),)
    if not violations:
        return None
    request = error_details_pb2.BadRequest()
    for index, violation in enumerate(violations):
        request.field_violations.add(
            field=_cut(violation.field, METADATA_LIMIT), description=_cut(violation.description, METADATA_LIMIT)
        )
        if request.ByteSize() > room and index > 0:
            request.field_violations.pop()
            request.field_violations.add(field="", description=f"and {len(violations) - index} more")
            break
    return request


def _add(status: status_pb2.Status, detail: Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def _cut(text: str, limit: int) -> str:
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= limit else f"{data[: limit - 3].decode('utf-8', 'ignore')}..."
