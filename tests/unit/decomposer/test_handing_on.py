"""Model and data set of a decomposition: read once at most, and handed on to the job as they were then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.decomposer.servicer import DecomposerServicer
from modelfoundry.values.resources import Dataset, Model, dataset_digest
from modelfoundry.wire.known import known_from_proto, known_to_proto


@pytest.fixture
def dataset(dataset: Dataset) -> Dataset:
    return replace(dataset, digest=dataset_digest(dataset.labels, dataset.splits))


class Registry:
    """Has a model and a data set, and counts how often they are read."""

    def __init__(self, *there: Model | Dataset) -> None:
        self.there = {each.name: each for each in there}
        self.reads: Counter[str] = Counter()

    @property
    def models(self) -> Registry:
        return self

    modules = compositions = datasets = models

    async def get(self, name: str) -> Any:
        self.reads[name] += 1
        if name not in self.there:
            raise errors.NotFound(f"{name} is not there", hint="look at what is")
        return self.there[name]


class Queue:
    """Keeps what was queued."""

    def __init__(self) -> None:
        self.queued: list[pb.DecomposeRequest] = []

    async def enqueue(self, request: Message, **_: Any) -> operations_pb2.Operation:
        assert isinstance(request, pb.DecomposeRequest)
        self.queued.append(request)
        return operations_pb2.Operation(name="projects/p/operations/decompose-1")


def request(model: str, dataset: str) -> pb.DecomposeRequest:
    asked = pb.DecomposeRequest(parent="projects/p", model=model, dataset=dataset)
    asked.seam.problem.binary.label = "3"
    return asked


async def asked(registry: Registry, wanted: pb.DecomposeRequest) -> list[pb.DecomposeRequest]:
    """What is queued for a request."""
    client: Any = registry
    queue: Any = Queue()
    context: Any = None
    await DecomposerServicer(client, queue).Decompose(wanted, context)
    return queue.queued


async def test_a_job_gets_the_model_and_the_data_that_its_service_read(model: Model, dataset: Dataset) -> None:
    registry = Registry(model, dataset)
    (queued,) = await asked(registry, request(model.name, dataset.name))
    assert known_from_proto(queued.known) == (model, dataset)
    assert registry.reads == {model.name: 1, dataset.name: 1}


async def test_an_alias_costs_no_other_read(model: Model, dataset: Dataset) -> None:
    alias = "projects/p/models/net@live"
    registry = Registry(model, dataset)
    registry.there[alias] = model
    (queued,) = await asked(registry, request(alias, dataset.name))
    assert queued.model == model.name
    assert registry.reads == {alias: 1, dataset.name: 1}


async def test_what_the_caller_has_read_is_not_read_again(model: Model, dataset: Dataset) -> None:
    registry = Registry()
    wanted = request(model.name, dataset.name)
    wanted.known.CopyFrom(known_to_proto(model, dataset))
    (queued,) = await asked(registry, wanted)
    assert known_from_proto(queued.known) == (model, dataset)
    assert not registry.reads


async def test_equal_requests_stay_equal_when_somebody_edits_the_model(model: Model, dataset: Dataset) -> None:
    before, after = [
        (await asked(Registry(there, dataset), request(model.name, dataset.name)))[0]
        for there in (model, replace(model, display_name="Digits", license="MIT", etag="2"))
    ]
    assert after == before


async def test_what_was_handed_on_is_checked_like_what_was_read(model: Model, dataset: Dataset) -> None:
    wanted = request(model.name, dataset.name)
    wanted.known.CopyFrom(known_to_proto(replace(model, labels=("a", "b")), dataset))
    with pytest.raises(errors.UnknownLabel):
        await asked(Registry(), wanted)


async def test_test_images_that_are_handed_on_as_training_images_are_refused(model: Model, dataset: Dataset) -> None:
    train, test = dataset.splits
    wanted = request(model.name, dataset.name)
    forged = replace(dataset, splits=(replace(train, content=test.content), test))
    wanted.known.CopyFrom(known_to_proto(model, forged))
    with pytest.raises(errors.InvalidField) as refused:
        await asked(Registry(model, dataset), wanted)
    assert refused.value.field == "known.datasets[0].digest"
