"""Turns gRPC statuses back into the errors that the service raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from modelfoundry import errors
from modelfoundry.client.endpoints import Service
from modelfoundry.wire.statuses import ERROR_BY_CODE, STATUS_CODE_KEY, error_from_status, is_ours, status_of


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
    status = status_of(error)
    if status is not None and is_ours(status):
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
            error_class = ERROR_BY_CODE.get(code, errors.Internal)
            return error_class(text or f"the {service} at {address} failed with {code.name}", metadata=metadata)
