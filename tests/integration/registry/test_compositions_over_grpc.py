"""Compositions as clients meet them: over a socket, with statuses, after a restart, and while others delete."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from modelfoundry.api.registry.v1 import composition_pb2, model_pb2
from modelfoundry.api.types.v1 import architecture_pb2
from modelfoundry.registry.settings import RegistrySettings

PARENT = "projects/default"
NAME = f"{PARENT}/compositions/joined"


def _request(composition_id: str = "joined", **fields: Any) -> composition_pb2.CreateCompositionRequest:
    sources = {"a": "net", "b": "twin"}
    defaults: dict[str, Any] = {
        "task": composition_pb2.Composition.TASK_NEW_TASK,
        "members": [
            composition_pb2.CompositionMember(
                label=label, source=f"{PARENT}/models/{source}", source_label=label, scale=1
            )
            for label, source in sources.items()
        ],
        "input": architecture_pb2.InputSpec(channels=1, height=8, width=8),
        "datasets": [f"{PARENT}/datasets/digits"],
        "record": composition_pb2.CompositionRecord(strategy="per_label_best"),
    }
    return composition_pb2.CreateCompositionRequest(
        parent=PARENT,
        composition_id=composition_id,
        composition=composition_pb2.Composition(**{**defaults, **fields}),
    )


async def _prepare(client: Any) -> None:
    await client.create_dataset("digits")
    await client.create_model("net")
    await client.create_model("twin")


async def test_a_composition_is_there_after_a_restart(settings: RegistrySettings, serve: Any) -> None:
    async with serve(settings) as client:
        await _prepare(client)
        made = await client.registry.CreateComposition(_request())

    async with serve(settings) as client:
        got = await client.registry.GetComposition(composition_pb2.GetCompositionRequest(name=NAME))
        listed = await client.registry.ListCompositions(
            composition_pb2.ListCompositionsRequest(parent=PARENT, filter=f'model:"{PARENT}/models/twin"')
        )

    assert got == made
    assert list(listed.compositions) == [made]


async def test_statuses_of_compositions_are_those_of_the_contract(client: Any, failure_of: Any) -> None:
    await _prepare(client)
    registry = client.registry
    await registry.CreateComposition(_request())
    twice = _request("other").composition.members[0]
    unknown = composition_pb2.CompositionMember()
    unknown.CopyFrom(twice)
    unknown.label, unknown.source = "b", f"{PARENT}/modules/none"
    old = composition_pb2.Composition(name=NAME, license="MIT", etag='"old"')
    calls = [
        (registry.CreateComposition, _request(), "ALREADY_EXISTS", "ALREADY_EXISTS"),
        (registry.CreateComposition, _request("x", members=[twice, twice]), "INVALID_ARGUMENT", "INVALID_FIELD"),
        (registry.CreateComposition, _request("x", members=[twice, unknown]), "NOT_FOUND", "NOT_FOUND"),
        (
            registry.UpdateComposition,
            composition_pb2.UpdateCompositionRequest(composition=old),
            "ABORTED",
            "ETAG_MISMATCH",
        ),
        (
            registry.DeleteModel,
            model_pb2.DeleteModelRequest(name=f"{PARENT}/models/net"),
            "FAILED_PRECONDITION",
            "IN_USE",
        ),
    ]
    for method, request, code, reason in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(request)
        status, info = failure_of(caught.value)
        assert (status.name, info.reason) == (code, reason)
        assert info.metadata["hint"]

    await registry.DeleteComposition(composition_pb2.DeleteCompositionRequest(name=NAME))
    await registry.DeleteModel(model_pb2.DeleteModelRequest(name=f"{PARENT}/models/net"))
    assert await client.models() == ["twin"]


async def test_a_source_that_is_deleted_meanwhile_leaves_no_composition_without_it(client: Any) -> None:
    await _prepare(client)
    calls = [client.registry.CreateComposition(_request(f"c{index}")) for index in range(4)]
    deletion = client.registry.DeleteModel(model_pb2.DeleteModelRequest(name=f"{PARENT}/models/twin"))

    *made, deleted = await asyncio.gather(*calls, deletion, return_exceptions=True)

    stored = await client.registry.ListCompositions(composition_pb2.ListCompositionsRequest(parent=PARENT))
    assert {one.name for one in stored.compositions} == {
        one.name for one in made if isinstance(one, composition_pb2.Composition)
    }
    was_deleted = not isinstance(deleted, BaseException)
    assert was_deleted == (not stored.compositions)
    assert ("twin" in await client.models()) == bool(stored.compositions)
