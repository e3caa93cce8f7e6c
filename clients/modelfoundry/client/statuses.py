"""Turns gRPC statuses back into the errors that the service raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from modelfoundry import errors
from modelfoundry.client.endpoints import Service

DOMAIN: Final = "modelfoundry.dev"
STATUS_CODE_KEY: Final = "status_code"
_DETAILS_KEY: Final = "grpc-status-details-bin"
_CODE_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}

# For statuses without our details: from a proxy, from gRPC itself, or from a service that is not ours.
_ERROR_BY_CODE: Final[dict[grpc.StatusCode, type[errors.ModelFoundryError]]] = {
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


@contextmanager
def domain_errors(service: Service, address: str, seconds: float) -> Iterator[None]:
    """Translates every `grpc.RpcError` of the block: the only door from gRPC's errors to ours."""
    try:
        yield
    except grpc.RpcError as error:
        raise error_from_call(error, service, address, seconds) from error


def error_from_call(error: grpc.RpcError, service: Service, address: str, seconds: float) -> errors.ModelFoundryError:
    """The domain error that a failed call stands for. Its metadata keeps the code under `status_code`."""
    code, text = error.code(), error.details() or ""
    status = _status_of(error)
    if status is not None and _error_info(status) is not None:
        return error_from_status(status)
    metadata = {STATUS_CODE_KEY: code.name, "service": service.value, "address": address}
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return errors.Unavailable(
                f"the {service} at {address} cannot be reached: {text}",
                hint=f"start it with `modelfoundry up`, or set MODELFOUNDRY_{service.name} to where it listens",
                metadata=metadata,
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return errors.Unavailable(
                f"what listens at {address} is not the {service} of this version: {text}",
                hint=f"set MODELFOUNDRY_{service.name} to where the {service} listens, or upgrade it",
                metadata=metadata,
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.DeadlineExceeded(
                f"the {service} at {address} did not answer within {seconds:g} s",
                hint="try again, or give more time through `timeouts`",
                metadata=metadata,
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in text:
            return errors.TooLarge(
                f"a message to or from the {service} is too large: {text}",
                hint="send less in one call; weights and images of data sets go through `client.blobs`",
                metadata=metadata,
            )
        case _:
            error_class = _ERROR_BY_CODE.get(code, errors.Internal)
            return error_class(text or f"the {service} at {address} failed with {code.name}", metadata=metadata)


def error_from_status(status: status_pb2.Status) -> errors.ModelFoundryError:
    """The domain error in a `google.rpc.Status`, for example that of a failed job."""
    code = _CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    info = _error_info(status)
    metadata = dict(info.metadata) if info is not None else {}
    by_code = _ERROR_BY_CODE.get(code, errors.Internal)
    error_class = by_code if info is None else errors.ERROR_BY_REASON.get(info.reason, by_code)
    field, hint = metadata.pop("field", ""), metadata.pop("hint", "")
    return error_class(
        status.message or code.name,
        field=field,
        hint=hint,
        violations=_violations(status),
        metadata={**metadata, STATUS_CODE_KEY: code.name},
    )


def _status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    trailing: Iterable[Any] = error.trailing_metadata() or ()
    for key, value in trailing:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
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
