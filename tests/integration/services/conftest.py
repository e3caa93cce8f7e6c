"""The whole system on each blob store, shared by the tests of a file."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from foundry import Foundry, running_foundry
from service_stack import minio_settings


@pytest.fixture(scope="module", params=["local", "minio"])
def store_settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Settings of the registry for each blob store."""
    if request.param == "local":
        yield {}
        return
    server = request.getfixturevalue("minio_server")
    bucket = f"test-{uuid.uuid4().hex}"
    yield minio_settings(server, bucket)
    server.remove_bucket(bucket)


@pytest.fixture(scope="module")
def foundry(store_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    """The whole system on one blob store, shared by the tests of a file."""
    with running_foundry(tmp_path_factory.mktemp("foundry"), store_settings) as running:
        yield running
