"""What names stand for, kept as long as events are followed; the registry's events come from a server that plays it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from modelfoundry.api.registry.v1 import event_service_pb2 as pb
from modelfoundry.api.registry.v1 import event_service_pb2_grpc as pb_grpc
from modelfoundry.errors import NotFound
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.resources import BlobRef, Model
from modelfoundry.workbench import followed
from modelfoundry.workbench.followed import FollowedSubjects, following

PARENT = "projects/default"


def model(name: str) -> Model:
    return Model(
        name=f"{PARENT}/models/{name}",
        architecture=Architecture("zoo:simcnn"),
        input=InputSpec(1, 2, 2),
        labels=("a",),
        weights=BlobRef("sha256:0", 0),
    )


@dataclass
class Events(pb_grpc.EventServiceServicer):
    """Tells what a test has it tell; `away` refuses all."""

    away: bool = False
    told: asyncio.Queue[pb.RegistryEvent | None] = field(default_factory=asyncio.Queue)

    async def ListEvents(self, request: Any, context: Any) -> pb.ListEventsResponse:  # noqa: N802
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return pb.ListEventsResponse(newest_sequence=7)

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[pb.RegistryEvent]:  # noqa: N802
        assert request.after_sequence == 7
        await context.send_initial_metadata(())
        while (event := await self.told.get()) is not None:
            yield event
        await context.abort(grpc.StatusCode.UNAVAILABLE, "away")


@dataclass
class Registry:
    """Subjects by name, and how often they were read."""

    subjects: FollowedSubjects
    events: Events
    models: dict[str, Model] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    async def get(self, name: str) -> str:
        async def read() -> Model:
            self.reads.append(name)
            if name not in self.models:
                raise NotFound(name)
            return self.models[name]

        return (await self.subjects.get(PARENT, f"{PARENT}/models/{name}", read)).name.rpartition("/")[2]

    async def happens(self, kind: pb.EventKind, name: str) -> None:
        """Tells of an event, and returns when it was heard."""
        before = self.changes
        self.events.told.put_nowait(pb.RegistryEvent(sequence=8, kind=kind, resource=f"{PARENT}/models/{name}"))
        await until(lambda: self.changes > before)

    @property
    def changes(self) -> int:
        return self.project.changes

    @property
    def project(self) -> followed._Project:
        return self.subjects._projects[PARENT]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def registry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Registry]:
    monkeypatch.setattr(followed, "PAUSE_SECONDS", 0.05)
    server, events = grpc.aio.server(), Events()
    pb_grpc.add_EventServiceServicer_to_server(events, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = [("grpc.enable_http_proxy", 0)]
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel,
        following(channel) as subjects,
    ):
        yield Registry(subjects, events, {"m": model("m"), "n": model("n"), "f@live": model("m")})
    await server.stop(None)


async def test_what_was_read_is_not_read_again(registry: Registry) -> None:
    for _ in range(3):
        assert await registry.get("m") == "m"
        assert await registry.get("f@live") == "m"
    assert registry.reads == ["m", "f@live"]


async def test_a_change_of_a_resource_is_noticed_and_leaves_others_alone(registry: Registry) -> None:
    assert [await registry.get(name) for name in ("m", "n", "f@live")] == ["m", "n", "m"]
    del registry.models["m"], registry.models["f@live"]
    await registry.happens(pb.EVENT_KIND_DELETED, "m")
    for name in ("m", "f@live"):
        with pytest.raises(NotFound):
            await registry.get(name)
    assert await registry.get("n") == "n"
    assert registry.reads == ["m", "n", "f@live", "m", "f@live"]


async def test_an_alias_that_moves_is_noticed(registry: Registry) -> None:
    assert await registry.get("f@live") == "m"
    registry.models["f@live"] = model("n")
    await registry.happens(pb.EVENT_KIND_ALIASED, "n")
    assert await registry.get("f@live") == "n"


async def test_what_changed_while_it_was_read_is_not_kept(registry: Registry) -> None:
    await registry.get("n")

    async def slow() -> Model:
        old = registry.models["m"]
        await registry.happens(pb.EVENT_KIND_UPDATED, "m")
        return old

    await registry.subjects.get(PARENT, f"{PARENT}/models/m", slow)
    await registry.get("m")
    await registry.get("m")
    assert registry.reads == ["n", "m"]


async def test_a_sign_of_life_is_no_change(registry: Registry) -> None:
    await registry.get("m")
    registry.events.told.put_nowait(pb.RegistryEvent(sequence=8))
    await registry.happens(pb.EVENT_KIND_CREATED, "other")
    await registry.get("m")
    assert registry.reads == ["m"]


async def test_while_events_cannot_be_followed_every_question_is_a_read(registry: Registry) -> None:
    await registry.get("m")
    registry.events.away = True
    registry.events.told.put_nowait(None)  # the stream breaks
    await until(lambda: not registry.project.live)
    await registry.get("m")
    await registry.get("m")
    assert registry.reads == ["m"] * 3
    registry.events.away = False
    await until(lambda: registry.project.live)
    await registry.get("m")
    await registry.get("m")
    assert registry.reads == ["m"] * 4


async def test_more_projects_than_can_be_followed_are_read(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "MOST_PROJECTS", 0)
    await registry.get("m")
    await registry.get("m")
    assert registry.reads == ["m", "m"]
