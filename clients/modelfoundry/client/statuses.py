"""Turns gRPC statuses back into the errors that the service raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from modelfoundry import errors
from modelfoundry.client.endpoints import Service

DOMAIN: Final = "modelfoundry.dev"


@contextmanager
def domain_errors(service: Service, address: str, seconds: float) -> Iterator[None]:
    """Translates every `grpc.RpcError` of the block, once, in one place."""
    try:
        yield
    except grpc.RpcError as error:
        raise error_from_call(error, service, address, seconds) from error


def error_from_call(error: grpc.RpcError, service: Service, address: str, seconds: float) -> errors.ModelFoundryError:
    """The domain error that a failed call stands for. Its metadata keeps the code under `status_code`."""
    raise NotImplementedError


def error_from_status(status: status_pb2.Status) -> errors.ModelFoundryError:
    """The domain error in a `google.rpc.Status`, for example that of a failed job."""
    raise NotImplementedError
