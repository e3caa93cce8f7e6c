"""A mirror that follows the registry's events through the registry's death."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from safetensors.numpy import save

from modelfoundry.client import (
    Architecture,
    AsyncClient,
    Client,
    Dataset,
    DatasetSplit,
    EventKind,
    InputSpec,
    Model,
    RegistryEvent,
    Retries,
)

CHANGES = 30
PATIENT = Retries(without_progress=1000, max_backoff=0.2)


def new_dataset(client: Client, dataset_id: str) -> Dataset:
    images = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    blob = client.blobs.upload(save({"images": images, "labels": np.array([0, 1], dtype=np.int64)}))
    draft = Dataset(labels=("cat", "dog"), splits=(DatasetSplit(split="train", content=blob),))
    return client.datasets.create(draft, dataset_id=dataset_id)


def test_a_mirror_misses_nothing_and_sees_nothing_twice(registry: Any) -> None:
    with Client(registry.endpoints) as client:
        dataset = new_dataset(client, "mirrored")
        begin = max(event.sequence for event in client.events(follow=False))
    seen: list[RegistryEvent] = []
    some, enough = threading.Event(), threading.Event()

    def mirror() -> None:
        with Client(registry.endpoints, retries=PATIENT) as client:
            for event in client.events(after=begin):
                seen.append(event)
                some.set()
                if event.kind is EventKind.DELETED:
                    enough.set()
                    return

    thread = threading.Thread(target=mirror)
    thread.start()
    with Client(registry.endpoints) as client:
        for number in range(CHANGES):
            if number in {10, 20}:
                assert some.wait(60)
                registry.kill()
                registry.start()
                client.datasets.get(dataset.name)  # repeated until the registry is found again; changes are not
            client.datasets.update(dataset.name, description=f"version {number}")
        client.datasets.delete(dataset.name)
    assert enough.wait(60)
    thread.join()

    sequences = [event.sequence for event in seen]
    assert sequences == list(range(begin + 1, begin + 1 + CHANGES + 1))
    assert len({event.etag for event in seen if event.kind is EventKind.UPDATED}) == len(seen) - 1
    with Client(registry.endpoints) as client:
        told = list(client.events(after=begin, follow=False))
    assert told == seen


async def test_asyncio_follows_events_too(registry: Any) -> None:
    with Client(registry.endpoints) as client:
        dataset = new_dataset(client, "followed")
        client.datasets.delete(dataset.name)
    async with AsyncClient(registry.endpoints) as client:
        told = [event async for event in client.events(collections=["datasets"], kinds=["deleted"], follow=False)]
        async for event in client.events(told[-1].sequence - 1):
            assert event == told[-1]
            break
    assert told[-1].resource == dataset.name


def test_lineage_and_what_a_deletion_takes_with_it(registry: Any) -> None:
    with Client(registry.endpoints) as client:
        dataset = new_dataset(client, "rooted")
        model = _model(client, dataset)
        lineage = client.lineage(model, direction="ancestors")
        assert [(node.name, node.distance) for node in lineage.nodes] == [(model.name, 0), (dataset.name, 1)]
        assert [edge.relation.value for edge in lineage.edges] == ["trained_on"]
        assert client.lineage("datasets/rooted").nodes[1].id == "net"
        assert [node.name for node in client.dependents(dataset).nodes] == [model.name]

        client.datasets.delete(dataset, cascade=True)
        assert list(client.models.list()) == []


def _model(client: Client, dataset: Dataset) -> Any:
    blob = client.blobs.upload(save({"fc.weight": np.ones((2, 16), dtype=np.float32)}))
    draft = Model(
        architecture=Architecture("zoo:simcnn"),
        input=InputSpec(1, 4, 4),
        labels=("cat", "dog"),
        weights=blob,
        training_dataset=dataset.name,
    )
    return client.models.create(draft, model_id="net")
