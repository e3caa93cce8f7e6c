"""The SDK against the real registry."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from PIL import Image
from safetensors.numpy import save_file

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2
from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.operations.v1.job_queue_service_pb2_grpc import JobQueueServiceStub
from modelfoundry.client import (
    Architecture,
    AsyncClient,
    BlobRef,
    Client,
    Dataset,
    DatasetSplit,
    InputSpec,
    JobState,
    Model,
    Progress,
)

SIZE = 5 * 1024 * 1024 + 17


def images(folder: Path, labels: tuple[str, ...] = ("cat", "dog")) -> Path:
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in labels:
            place = folder / split / label
            place.mkdir(parents=True)
            for number in range(3):
                Image.fromarray(generator.integers(0, 255, (6, 5, 3), dtype=np.uint8)).save(place / f"{number}.png")
    return folder


def unused(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def test_bytes_come_back_as_they_went(client: Client, tmp_path: Path) -> None:
    data = os.urandom(SIZE)
    told: list[tuple[int, int]] = []
    blob = client.blobs.upload(data, "application/octet-stream", on_progress=lambda *done: told.append(done))
    assert told[-1] == (SIZE, SIZE)
    assert client.blobs.get(blob.digest) == blob
    assert client.blobs.download(blob, tmp_path / "file").read_bytes() == data


def test_the_same_bytes_go_up_once(client: Client) -> None:
    data = os.urandom(SIZE)
    first: list[int] = []
    client.blobs.upload(data, on_progress=lambda done, _: first.append(done))
    again: list[int] = []
    client.blobs.upload(data, on_progress=lambda done, _: again.append(done))
    assert len(first) == 6
    assert again == [SIZE]


def test_an_upload_survives_a_killed_registry(registry: Any, tmp_path: Path) -> None:
    data = os.urandom(SIZE)
    done: list[int] = []

    def kill_once(bytes_done: int, _: int) -> None:
        done.append(bytes_done)
        if len(done) == 3:
            registry.kill()
            registry.start()

    with Client(registry.endpoints) as client:
        blob = client.blobs.upload(data, on_progress=kill_once)
        assert client.blobs.download(blob, tmp_path / "file").read_bytes() == data
    assert len(done) > 3


def test_an_upload_that_a_killed_program_left_goes_on(registry: Any) -> None:
    data = os.urandom(SIZE)

    class Killed(Exception):
        pass

    def die(bytes_done: int, _: int) -> None:
        if bytes_done > 3 * 1024 * 1024:
            raise Killed

    with Client(registry.endpoints) as client, pytest.raises(Killed):
        client.blobs.upload(data, on_progress=die)
    told: list[int] = []
    with Client(registry.endpoints) as client:
        client.blobs.upload(data, on_progress=lambda done, _: told.append(done))
    assert told[0] > 3 * 1024 * 1024
    assert told[-1] == SIZE


def test_a_download_survives_a_killed_registry(registry: Any, tmp_path: Path) -> None:
    data = os.urandom(32 * 1024 * 1024)
    killed: list[int] = []

    def kill_once(bytes_done: int, _: int) -> None:
        if not killed:
            killed.append(bytes_done)
            registry.kill()
            registry.start()

    with Client(registry.endpoints) as client:
        blob = client.blobs.upload(data)
        client.blobs.download(blob, tmp_path / "file", on_progress=kill_once)
    assert (tmp_path / "file").read_bytes() == data
    assert killed


def test_a_data_set_of_images_is_pushed_listed_changed_and_deleted(client: Client, tmp_path: Path) -> None:
    name = unused("pets")
    told: list[tuple[int, int]] = []
    pushed = client.datasets.push(
        images(tmp_path / "pets"),
        dataset_id=name,
        display_name="Pets",
        tags={"team": name},
        on_progress=lambda *done: told.append(done),
    )
    assert pushed.name == f"projects/default/datasets/{name}"
    assert pushed.labels == ("cat", "dog")
    assert {split.split: split.sample_count for split in pushed.splits} == {"train": 6, "test": 6}
    assert (pushed.channels, pushed.height, pushed.width) == (3, 6, 5)
    assert told[-1][0] == told[-1][1]

    assert [one.id for one in client.datasets.list(f'tags.team = "{name}"')] == [name]
    changed = client.datasets.update(pushed, description="real pets")
    assert (changed.description, changed.display_name) == ("real pets", "Pets")
    with pytest.raises(errors.EtagMismatch):
        client.datasets.update(pushed, description="other")  # it was changed since
    with pytest.raises(errors.EtagMismatch):
        client.datasets.delete(pushed)
    client.datasets.delete(changed)
    with pytest.raises(errors.NotFound):
        client.datasets.get(name)


def test_a_wrong_name_suggests_near_ones(client: Client, tmp_path: Path) -> None:
    name = unused("pets")
    client.datasets.push(images(tmp_path / "pets"), dataset_id=name)
    with pytest.raises(errors.NotFound) as caught:
        client.datasets.get(f"{name}s")
    assert name in caught.value.hint + caught.value.metadata.get("near", "")


def test_a_taken_name_is_refused(client: Client, tmp_path: Path) -> None:
    name = unused("pets")
    source = images(tmp_path / "pets")
    client.datasets.push(source, dataset_id=name)
    with pytest.raises(errors.AlreadyExists):
        client.datasets.push(source, dataset_id=name)


def test_a_repeated_request_gives_what_the_first_one_made(client: Client, tmp_path: Path) -> None:
    pushed = client.datasets.push(images(tmp_path / "pets"), dataset_id=unused("pets"))
    request_id = str(uuid.uuid4())
    first = client.datasets.create(pushed, request_id=request_id)
    assert client.datasets.create(pushed, request_id=request_id) == first
    assert client.datasets.create(pushed).name != first.name


def test_lists_go_over_all_pages(client: Client, tmp_path: Path) -> None:
    tag = unused("page")
    pushed = client.datasets.push(images(tmp_path / "pets"), tags={"page": tag})
    for _ in range(54):
        client.datasets.create(pushed)
    assert len({one.name for one in client.datasets.list(f'tags.page = "{tag}"')}) == 55


def test_a_model_comes_back_as_it_was_registered(client: Client, tmp_path: Path) -> None:
    save_file({"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}, tmp_path / "w.safetensors")
    model = Model(
        architecture=Architecture("zoo:digits_cnn", {"width": 8, "bias": True, "dropout": 0.5}),
        input=InputSpec(1, 8, 8, (0.5,), (0.25,)),
        labels=("a", "b"),
        weights=client.blobs.upload(tmp_path / "w.safetensors"),
        tags={"a": "b"},
        license="BSD-2-Clause",
    )
    name = unused("model")
    created = client.models.create(model, model_id=name)
    assert created == client.models.get(name)
    assert created.architecture == model.architecture
    assert (created.input, created.labels, created.license) == (model.input, model.labels, model.license)
    assert {tensor.name: tensor.shape for tensor in created.tensors} == {"weight": (2, 3), "bias": (2,)}
    assert created.create_time is not None
    client.models.delete(created)


def test_a_split_that_is_no_data_is_refused_by_name(client: Client) -> None:
    dataset = Dataset(
        labels=("a", "b"), splits=(DatasetSplit(split="train", content=client.blobs.upload(b"not safetensors")),)
    )
    with pytest.raises(errors.MalformedFile) as caught:
        client.datasets.create(dataset)
    assert "splits" in caught.value.field


def test_a_blob_that_was_not_uploaded_is_named(client: Client) -> None:
    digest = f"sha256:{'0' * 64}"
    with pytest.raises(errors.BlobMissing) as caught:
        client.datasets.create(Dataset(labels=("a", "b"), splits=(DatasetSplit(split="x", content=BlobRef(digest)),)))
    assert caught.value.metadata["digest"] == digest


class Worker:
    """What a service's worker does, by hand."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
        self._queue = JobQueueServiceStub(self._channel)
        self._leased: queue_pb2.LeasedOperation | None = None

    def enqueue(self, kind: str) -> str:
        request = AnyMessage()
        request.Pack(decomposer_service_pb2.DecomposeRequest(parent="projects/default"))
        operation = self._queue.EnqueueOperation(
            queue_pb2.EnqueueOperationRequest(parent="projects/default", kind=kind, request=request), timeout=10
        )
        return str(operation.name)

    def lease(self, kind: str) -> None:
        response = self._queue.LeaseOperation(queue_pb2.LeaseOperationRequest(kinds=[kind], owner="test"), timeout=10)
        self._leased = response.leased

    def report(self, fraction: float) -> None:
        assert self._leased is not None
        self._queue.ReportProgress(
            queue_pb2.ReportProgressRequest(
                name=self._leased.name,
                lease_token=self._leased.lease_token,
                progress=operation_pb2.Progress(phase="search", fraction=fraction),
            ),
            timeout=10,
            wait_for_ready=True,
        )

    def complete(self) -> operations_pb2.Operation:
        assert self._leased is not None
        response = AnyMessage()
        response.Pack(decomposer_service_pb2.DecomposeResponse())
        return self._queue.CompleteOperation(
            queue_pb2.CompleteOperationRequest(
                name=self._leased.name, lease_token=self._leased.lease_token, response=response
            ),
            timeout=10,
            wait_for_ready=True,
        )

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def worker(registry: Any) -> Any:
    made = Worker(registry.address)
    yield made
    made.close()


def test_a_job_is_followed_over_a_killed_registry(registry: Any, worker: Worker) -> None:
    kind = unused("kind")
    name = worker.enqueue(kind)
    worker.lease(kind)
    worker.report(0.25)
    fractions: list[float] = []

    def go_on(progress: Progress) -> None:
        if not fractions:
            registry.kill()
            registry.start()
            worker.report(0.5)
            worker.complete()
        fractions.append(progress.fraction)

    with Client(registry.endpoints) as client:
        job = client.jobs.get(name)
        assert job.status.state is JobState.RUNNING
        assert job.wait(on_progress=go_on, timeout=60) == ()
    assert fractions == [0.25, 0.5]
    assert job.status.state is JobState.SUCCEEDED


async def test_a_cancelled_job_raises_so_in_asyncio(registry: Any, worker: Worker) -> None:
    name = worker.enqueue(unused("kind"))
    async with AsyncClient(registry.endpoints) as client:
        job = await client.jobs.get(name)
        await job.cancel()
        with pytest.raises(errors.Cancelled):
            await job.wait(timeout=60)
        assert job.status.state is JobState.CANCELLED
        await job.cancel()  # a second time changes nothing
        assert [one.name async for one in client.jobs.list()].count(name) == 1


def test_health_tells_who_answers(client: Client) -> None:
    health = {service.value: state.ready for service, state in client.health().items()}
    assert health["registry"] is True
