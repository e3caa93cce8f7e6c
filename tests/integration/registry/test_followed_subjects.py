"""What is deleted or renamed: told to those who follow before whoever did it hears that it is done."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from modelfoundry.api.registry.v1 import (
    alias_service_pb2,
    alias_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    model_pb2,
)
from modelfoundry.registry.events import service
from modelfoundry.workbench.followed import following

PARENT = "projects/default"
ROUNDS = 5


async def read(client: Any, name: str) -> Any:
    return await client.registry.GetModel(model_pb2.GetModelRequest(name=f"{PARENT}/models/{name}"))


def to(model: str) -> alias_service_pb2.SetAliasRequest:
    return alias_service_pb2.SetAliasRequest(name=f"{PARENT}/models/f@live", target=f"{PARENT}/models/{model}")


async def test_a_deletion_and_a_moved_alias_are_known_at_once(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "POLL_SECONDS", 3600)  # nobody looks: it is told
    aliases: Any = alias_service_pb2_grpc.AliasServiceStub(client.channel)
    await client.create_dataset("digits")
    await client.create_model("base", training_dataset=f"{PARENT}/datasets/digits")
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(client.address, options=options) as channel, following(channel) as subjects:
        for number in range(ROUNDS):
            name = f"m{number}"
            await client.create_model(name, training_dataset=f"{PARENT}/datasets/digits")
            await aliases.SetAlias(to(name))
            for asked in (name, "f@live", "f@live"):
                found = await subjects.get(PARENT, asked, lambda asked=asked: read(client, asked))
                assert found.name == f"{PARENT}/models/{name}"
            await aliases.SetAlias(to("base"))
            await client.registry.DeleteModel(model_pb2.DeleteModelRequest(name=f"{PARENT}/models/{name}"))
            with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
                await subjects.get(PARENT, name, lambda name=name: read(client, name))


async def test_who_does_not_listen_holds_nobody_up_twice(client: Any) -> None:
    await client.create_dataset("digits")
    options = [("grpc.enable_http_proxy", 0), ("grpc.http2.lookahead_bytes", 1024)]
    async with grpc.aio.insecure_channel(client.address, options=options) as channel:
        stub: Any = event_service_pb2_grpc.EventServiceStub(channel)
        call = stub.WatchEvents(event_service_pb2.WatchEventsRequest(parent=PARENT, after_sequence=0))
        await call.initial_metadata()  # and reads nothing
        for number in range(4):
            await client.create_model(f"m{number}", training_dataset=f"{PARENT}/datasets/digits")
            request = model_pb2.DeleteModelRequest(name=f"{PARENT}/models/m{number}")
            await asyncio.wait_for(client.registry.DeleteModel(request), 10)
        call.cancel()
