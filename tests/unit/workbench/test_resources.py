"""Resources of one call or job: each is read once, whoever asks for it and how."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Dataset,
    DecompositionRecord,
    InputSpec,
    Model,
    Module,
)
from modelfoundry.workbench.aliases import MOST_REFERENCES, OwnNames
from modelfoundry.workbench.resources import AsyncResources, Known, Resources, digest_of

MODEL = Model(
    name="projects/p/models/net",
    architecture=Architecture("zoo:resnet20"),
    input=InputSpec(3, 8, 8),
    labels=("cat", "dog"),
    weights=BlobRef("sha256:0"),
)
MODULE = Module(
    name="projects/p/modules/cat",
    base_model=MODEL.name,
    problem=BinaryProblem("cat"),
    artifact=BlobRef("sha256:1"),
    dataset="projects/p/datasets/animals",
    record=DecompositionRecord(algorithm="seam"),
)
DATASET = Dataset(name="projects/p/datasets/animals", labels=("cat", "dog"), splits=())


class Registry:
    """Answers by name, an alias too, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.there: dict[str, Any] = {each.name: each for each in (MODEL, MODULE, DATASET)}
        self.there["projects/p/modules/cat@live"] = MODULE

    @property
    def models(self) -> Registry:
        return self

    modules = compositions = datasets = models

    async def get(self, name: str) -> Any:
        await asyncio.sleep(0)
        self.asked[name] += 1
        if name not in self.there:
            raise errors.NotFound(f"{name} is not there", field="name", hint="look at what is")
        return self.there[name]


class BlockingRegistry(Registry):
    """The same for a job."""

    def get(self, name: str) -> Any:  # type: ignore[override]
        return asyncio.run(super().get(name))


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def resources(registry: Registry) -> AsyncResources:
    client: Any = registry
    return AsyncResources(client)


async def test_those_who_ask_at_once_wait_for_one_answer(registry: Registry, resources: AsyncResources) -> None:
    found = await asyncio.gather(*(resources.model(MODEL.name) for _ in range(5)), resources.dataset(DATASET.name))
    assert found == [MODEL] * 5 + [DATASET]
    assert registry.asked == {MODEL.name: 1, DATASET.name: 1}


async def test_what_an_alias_stands_for_is_not_read_again_under_its_own_name(
    registry: Registry, resources: AsyncResources
) -> None:
    names = OwnNames(resources)
    given = ["projects/p/modules/cat@live", MODEL.name, "projects/p/modules/cat@live"]
    assert await names.of_all(given, field="subjects") == [MODULE.name, MODEL.name, MODULE.name]
    assert await resources.subject(MODULE.name, field="subjects[0]") == MODULE
    assert registry.asked == {"projects/p/modules/cat@live": 1}


async def test_what_changed_is_read_again_when_that_is_said(registry: Registry, resources: AsyncResources) -> None:
    await resources.module(MODULE.name)
    resources.known.forget(MODULE.name)
    await resources.module(MODULE.name)
    assert registry.asked == {MODULE.name: 2}


async def test_what_is_not_there_is_asked_for_again(registry: Registry, resources: AsyncResources) -> None:
    for _ in range(2):
        with pytest.raises(errors.NotFound):
            await resources.model("projects/p/models/other")
    assert registry.asked == {"projects/p/models/other": 2}


async def test_a_base_that_is_gone_is_told_with_its_module(registry: Registry, resources: AsyncResources) -> None:
    assert await resources.base(MODULE, field="sources[0]") == MODEL
    resources.known.forget(MODEL.name)
    del registry.there[MODEL.name]
    with pytest.raises(errors.NotFound, match=r"models/net, the base model of .*modules/cat, is gone") as caught:
        await resources.base(MODULE, field="sources[0]")
    assert caught.value.field == "sources[0]"


async def test_an_alias_that_is_not_there_is_blamed_on_its_field(resources: AsyncResources) -> None:
    with pytest.raises(errors.NotFound) as caught:
        await OwnNames(resources).of("projects/p/modules/cat@dead", field="subjects[2]")
    assert caught.value.field == "subjects[2]"


async def test_no_request_makes_the_registry_look_for_any_number_of_aliases(
    registry: Registry, resources: AsyncResources
) -> None:
    names = OwnNames(resources)
    aliases = [f"projects/p/modules/cat@v{number}" for number in range(MOST_REFERENCES + 1)]
    registry.there.update(dict.fromkeys(aliases, MODULE))
    with pytest.raises(errors.InvalidField, match="more than 1000"):
        await names.of_all(aliases, field="subjects")
    assert registry.asked.total() == MOST_REFERENCES


def test_a_job_reads_nothing_that_its_plan_has_read() -> None:
    registry = BlockingRegistry()
    client: Any = registry
    known = Known((MODEL,))
    resources = Resources(client, known)
    assert resources.model(MODEL.name) is MODEL
    assert resources.subject(MODULE.name, field="subject") is resources.module(MODULE.name)
    assert resources.dataset(DATASET.name) == DATASET
    assert registry.asked == {MODULE.name: 1, DATASET.name: 1}
    assert known.find(MODULE.name, Module) is MODULE
    assert known.find(MODULE.name, Model) is None


def test_a_name_of_something_else_is_refused() -> None:
    client: Any = BlockingRegistry()
    with pytest.raises(errors.InvalidField, match="neither a model") as caught:
        Resources(client).subject(DATASET.name, field="subject")
    assert caught.value.field == "subject"


def test_a_subject_is_known_by_the_digest_of_its_bytes() -> None:
    assert (digest_of(MODEL), digest_of(MODULE)) == ("sha256:0", "sha256:1")
