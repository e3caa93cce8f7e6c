"""Which calls are repeated, how often and how long, and under which request id."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from noting_services import Services, some_model

from modelfoundry import errors
from modelfoundry.client.channels import CONTRACTS, client_options
from modelfoundry.wire.channels import service_config


@pytest.mark.usefixtures("short_waits")
def test_reads_are_repeated_while_the_service_is_away(serve: Any, call: Any) -> None:
    services = Services(away=3)
    assert call(serve(services), "models.get", "m").id == "m"
    assert len(services.requests) == 4


@pytest.mark.usefixtures("short_waits")
def test_a_service_that_stays_away_is_given_up_after_four_attempts(serve: Any, call: Any) -> None:
    services = Services(away=99)
    with pytest.raises(errors.Unavailable, match="away"):
        call(serve(services), "models.get", "m")
    assert len(services.requests) == 4


@pytest.mark.usefixtures("short_waits")
def test_creating_is_repeated_with_one_request_id(serve: Any, call: Any) -> None:
    services = Services(away=2)
    endpoints = serve(services)
    call(endpoints, "models.create", some_model(), model_id="m")
    assert len(services.requests) == 3
    (request_id,) = {request.request_id for request in services.requests}
    assert uuid.UUID(request_id).version == 4


def test_two_creations_have_two_request_ids(serve: Any, call: Any) -> None:
    services = Services()
    endpoints = serve(services)
    for _ in range(2):
        call(endpoints, "models.create", some_model(), model_id="m")
    assert len({request.request_id for request in services.requests}) == 2


@pytest.mark.parametrize("method", ["models.delete", "models.update", "evaluations.delete"])
def test_what_is_not_safe_to_repeat_is_not_repeated(serve: Any, call: Any, method: str) -> None:
    services = Services(away=1)
    changes = {"description": "x"} if method == "models.update" else {}
    with pytest.raises(errors.Unavailable):
        call(serve(services), method, "m", **changes)
    assert len(services.requests) == 1


def test_a_service_that_listens_again_is_found_before_the_last_attempt() -> None:
    (config,) = json.loads(service_config(CONTRACTS))["methodConfig"]
    policy = config["retryPolicy"]
    first, factor = float(policy["initialBackoff"].rstrip("s")), policy["backoffMultiplier"]
    waited = sum(first * factor**attempt for attempt in range(policy["maxAttempts"] - 1))
    reconnected = dict(client_options("registry:1"))["grpc.max_reconnect_backoff_ms"] / 1000
    jitter = 0.2  # of both
    assert waited * (1 - jitter) > reconnected * (1 + jitter)


def test_only_unavailable_is_repeated() -> None:
    (config,) = json.loads(service_config(CONTRACTS))["methodConfig"]
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["retryPolicy"]["maxAttempts"] == 4
    assert "retryThrottling" in json.loads(service_config(CONTRACTS))


@pytest.mark.parametrize(
    ("address", "direct"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("registry:1", False), ("10.0.0.1:1", False)],
)
def test_loopback_is_reached_without_a_proxy(address: str, direct: bool) -> None:
    assert (("grpc.enable_http_proxy", 0) in client_options(address)) is direct
