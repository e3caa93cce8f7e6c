"""What callers are told while a part of the system is away, and that it goes on when that is back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio_server import started_minio
from service_stack import INLINE, ServiceStack, minio_settings, running_stack

from modelfoundry import errors
from modelfoundry.client import Architecture, Client, Endpoints, InputSpec, Retries, Service, TensorSpec

FEW = Retries(without_progress=2)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStack]:
    with running_stack(tmp_path_factory.mktemp("stack"), settings=INLINE, names=("registry", "evaluator")) as running:
        yield running


def test_a_service_that_is_not_started_is_named_with_what_to_start(stack: ServiceStack) -> None:
    with Client(stack.endpoints, retries=FEW) as client, pytest.raises(errors.Unavailable) as caught:
        client.predict("anything", b"image")
    assert "reuser" in str(caught.value)
    assert stack.endpoints.reuser in str(caught.value)
    assert "modelfoundry up" in caught.value.hint


def test_a_service_without_its_registry_says_so_and_recovers(stack: ServiceStack) -> None:
    with Client(stack.endpoints, retries=FEW) as client:
        stack.kill("registry")
        with pytest.raises(errors.Unavailable) as caught:
            client.evaluate("models/anything", "digits")
        assert "registry" in str(caught.value) + caught.value.hint
        assert client.health()[Service.REGISTRY].ready is False
        stack.start("registry")
        stack.wait_healthy("registry")
        stack.wait_healthy("evaluator")
        with pytest.raises(errors.NotFound):
            client.evaluate("models/anything", "digits")


def test_what_needs_no_registry_works_without_it(stack: ServiceStack) -> None:
    alone = Endpoints(evaluator=stack.endpoints.evaluator, registry="127.0.0.1:1")
    with Client(alone, retries=FEW) as client, pytest.raises(errors.WeightsMismatch) as caught:
        client.models.check(
            Architecture("zoo:digits_cnn"), InputSpec(1, 8, 8), 10, [TensorSpec("conv1.weight", "F32", (32, 3, 3, 3))]
        )
    assert len(caught.value.violations) > 1


@pytest.mark.slow
def test_an_upload_while_minio_is_away_is_unavailable_and_goes_through_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "minio"
    folder.mkdir()
    content = b"weights" * 100_000
    with started_minio(folder) as minio:
        settings = minio_settings(minio, f"test-{uuid.uuid4().hex}")
        with (
            running_stack(tmp_path, settings, names=("registry",)) as stack,
            Client(stack.endpoints, retries=FEW) as client,
        ):
            minio.freeze()
            with pytest.raises(errors.Unavailable) as caught:
                client.blobs.upload(content)
            assert caught.value.hint
            minio.thaw()
            stack.wait_healthy("registry")
            blob = client.blobs.upload(content)
            assert client.blobs.download(blob, tmp_path / "back").read_bytes() == content
