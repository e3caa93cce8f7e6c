"""Errors arrive as they were raised."""

# ruff: noqa: N802 - servicers have the methods of the contract

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from modelfoundry import errors
from modelfoundry.api.registry.v1 import model_pb2
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from modelfoundry.client import AsyncClient, Client, Endpoints, Timeouts
from modelfoundry.wire.statuses import STATUS_BY_ERROR, error_from_status, status_for


class Refusing(RegistryServiceServicer):
    """Answers every GetModel with one error."""

    def __init__(self, refuse: Callable[..., None], error: errors.ModelFoundryError) -> None:
        self._refuse = refuse
        self._error = error

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        self._refuse(context, self._error)
        raise AssertionError


@pytest.mark.parametrize("error_class", errors.ERROR_BY_REASON.values(), ids=lambda each: each.__name__)
def test_every_error_comes_back_as_itself(error_class: type[errors.ModelFoundryError]) -> None:
    raised = error_class("it is so", field="model.name", hint="do this", metadata={"near": "horse"})
    back = error_from_status(status_for(raised))
    assert type(back) is error_class
    assert (back.message, back.field, back.hint) == ("it is so", "model.name", "do this")
    assert back.metadata["near"] == "horse"
    assert back.metadata["status_code"] == STATUS_BY_ERROR[error_class].name


def test_a_refused_call_raises_what_the_service_raised(serve: Any, call: Any, refuse: Any) -> None:
    violations = (
        errors.FieldViolation("weights.conv1.weight", "missing"),
        errors.FieldViolation("fc.bias", "left over"),
    )
    error = errors.WeightsMismatch("2 tensors do not fit", field="weights", hint="look", violations=violations)
    with pytest.raises(errors.WeightsMismatch) as caught:
        call(serve(Refusing(refuse, error)), "models.get", "horse")
    assert set(violations) <= set(caught.value.violations)
    assert (caught.value.field, caught.value.hint) == ("weights", "look")
    assert caught.value.metadata["status_code"] == "INVALID_ARGUMENT"
    assert isinstance(caught.value.__cause__, grpc.RpcError)


@pytest.mark.usefixtures("short_waits")
def test_where_nobody_listens_the_error_says_what_to_start(call: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(errors.Unavailable) as caught:
            call(Endpoints(registry=address), "models.get", "horse")
    assert f"the registry at {address}" in caught.value.message
    assert "modelfoundry up" in caught.value.hint
    assert "MODELFOUNDRY_REGISTRY" in caught.value.hint
    assert caught.value.metadata["status_code"] == "UNAVAILABLE"


def test_another_service_at_the_address_is_told_from_none(serve: Any, call: Any, refuse: Any) -> None:
    endpoints = serve(Refusing(refuse, errors.Internal("x")))
    with pytest.raises(errors.Unavailable, match="not the decomposer") as caught:
        call(endpoints, "recipes")
    assert "MODELFOUNDRY_DECOMPOSER" in caught.value.hint


class Plain(RegistryServiceServicer):
    """Ends calls without our details, as proxies do."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        self._code = code
        self._text = text

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        context.abort(self._code, self._text)
        raise AssertionError


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
        (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidField),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
        (grpc.StatusCode.CANCELLED, errors.Cancelled),
        (grpc.StatusCode.UNKNOWN, errors.Internal),
        (grpc.StatusCode.PERMISSION_DENIED, errors.Internal),
    ],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", "")),
)
def test_statuses_without_details_have_a_class_too(
    serve: Any, call: Any, code: grpc.StatusCode, error_class: type[errors.ModelFoundryError]
) -> None:
    with pytest.raises(error_class) as caught:
        call(serve(Plain(code, "so it is")), "models.get", "horse")
    assert type(caught.value) is error_class
    assert caught.value.metadata["status_code"] == code.name


class Silent(RegistryServiceServicer):
    """Never answers while the caller waits."""

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(10)
        return model_pb2.Model()


def test_every_call_has_a_deadline(serve: Any, call: Any) -> None:
    with pytest.raises(errors.DeadlineExceeded, match=r"did not answer within 0\.2 s"):
        call(serve(Silent()), "models.get", "horse", timeouts=Timeouts(unary=0.2))


class Talkative(RegistryServiceServicer):
    """Answers more than a message may hold."""

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        return model_pb2.Model(description="x" * (5 * 1024 * 1024))


def test_a_message_above_the_limit_is_too_large_both_ways(serve: Any, call: Any) -> None:
    endpoints = serve(Talkative())
    with pytest.raises(errors.TooLarge):
        call(endpoints, "models.get", "horse")
    with pytest.raises(errors.TooLarge):
        call(endpoints, "models.update", "horse", description="x" * (5 * 1024 * 1024))


def test_an_unknown_reason_falls_back_on_the_code() -> None:
    status = status_for(errors.NotFound("no such thing"))
    newer = status_pb2.Status.FromString(status.SerializeToString().replace(b"NOT_FOUND", b"NOT_FOUNC"))
    assert type(error_from_status(newer)) is errors.NotFound


def test_a_closed_client_says_so() -> None:
    client = Client(Endpoints())
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.models.get("horse")


async def test_a_closed_asyncio_client_says_so() -> None:
    client = AsyncClient(Endpoints())
    await client.close()
    with pytest.raises(RuntimeError, match="closed"):
        await client.models.get("horse")
