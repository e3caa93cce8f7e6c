"""The registry as its clients meet it: over a socket, with statuses, health, restarts and a busy server."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc_health.v1 import health_pb2
from warm_python import WarmProcess, finished, started

from modelfoundry.api.registry.v1 import model_pb2, registry_service_pb2
from modelfoundry.registry.settings import RegistrySettings

SERVICE = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"].full_name
SERVING = health_pb2.HealthCheckResponse.SERVING
NET = "projects/default/models/net"


async def test_bytes_and_resources_go_in_and_come_out_on_both_stores(
    settings: RegistrySettings, store_settings: dict[str, Any], serve: Any
) -> None:
    async with serve(settings.model_copy(update=store_settings)) as client:
        dataset = await client.create_dataset("digits")
        made = await client.create_model("net", training_dataset=dataset.name)

        got = await client.registry.GetModel(model_pb2.GetModelRequest(name=NET))

        assert got == made
        assert list(dataset.splits[0].label_counts) == [1, 1, 1]
        assert await client.models() == ["net"]
        assert await client.health(SERVICE) == SERVING


async def test_a_failure_carries_reason_field_and_hint(client: Any, failure_of: Any) -> None:
    await client.create_model("net")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.registry.GetModel(model_pb2.GetModelRequest(name="projects/default/models/nett"))

    code, info = failure_of(caught.value)
    assert code == grpc.StatusCode.NOT_FOUND
    assert info.reason == "NOT_FOUND"
    assert info.metadata["field"] == "name"
    assert info.metadata["hint"] == "did you mean net?"
    assert info.metadata["near"] == "net"


async def test_statuses_are_those_of_the_contract(client: Any, failure_of: Any, make_weights: Any) -> None:
    registry = client.registry
    await client.create_model("net")
    missing = model_pb2.CreateModelRequest()
    missing.CopyFrom(await client.model_request("other", make_weights()))
    missing.model.weights.digest = "sha256:" + "0" * 64
    old = model_pb2.UpdateModelRequest(model=model_pb2.Model(name=NET, etag='"old"', license="MIT"))
    calls = [
        (registry.CreateModel, await client.model_request("net", make_weights()), "ALREADY_EXISTS", "ALREADY_EXISTS"),
        (registry.CreateModel, await client.model_request("x", b"PK\x03\x04zip"), "INVALID_ARGUMENT", "MALFORMED_FILE"),
        (registry.CreateModel, missing, "FAILED_PRECONDITION", "BLOB_MISSING"),
        (registry.CreateModel, model_pb2.CreateModelRequest(), "INVALID_ARGUMENT", "INVALID_FIELD"),
        (registry.UpdateModel, old, "ABORTED", "ETAG_MISMATCH"),
        (
            registry.ListModels,
            model_pb2.ListModelsRequest(parent="projects/default", filter="nonsense"),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
        ),
    ]
    for method, request, code, reason in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(request)
        status, info = failure_of(caught.value)
        assert (status.name, info.reason) == (code, reason)
        assert info.metadata["hint"]

    assert await client.models() == ["net"]


async def test_an_update_needs_no_fields_but_those_it_changes(client: Any) -> None:
    await client.create_model("net")
    change = model_pb2.Model(name=NET, display_name="New")

    updated = await client.registry.UpdateModel(
        model_pb2.UpdateModelRequest(model=change, update_mask=FieldMask(paths=["display_name"]))
    )

    assert updated.display_name == "New"
    assert updated.architecture.builder == "zoo:digits_cnn"


async def test_a_list_larger_than_a_message_comes_in_pages(client: Any) -> None:
    for index in range(70):
        await client.create_model(f"m-{index:02}", description="x" * 64 * 1024)

    names: list[str] = []
    token = ""
    while True:
        request = model_pb2.ListModelsRequest(
            parent="projects/default", page_size=1000, order_by="name", page_token=token
        )
        response = await client.registry.ListModels(request)
        names += [model.name[-2:] for model in response.models]
        token = response.next_page_token
        if not token:
            break

    assert names == [f"{index:02}" for index in range(70)]


async def test_other_calls_go_on_while_large_weights_are_looked_through(client: Any) -> None:
    large = np.zeros(12_000_000, dtype=np.float32)
    text = b'{"w":{"dtype":"F32","shape":[12000000],"data_offsets":[0,48000000]}}'
    request = await client.model_request("large", len(text).to_bytes(8, "little") + text + large.tobytes())

    creating = asyncio.ensure_future(client.registry.CreateModel(request))
    await asyncio.sleep(0)
    answered = 0
    while not creating.done():
        assert await client.health() == SERVING
        await client.models()
        answered += 1

    assert (await creating).weights.size_bytes == len(text) + 8 + 48_000_000
    assert answered > 1


async def test_many_clients_at_once_are_all_served(client: Any, make_weights: Any) -> None:
    requests = [await client.model_request(f"m-{index}", make_weights(index % 3)) for index in range(60)]

    made = await asyncio.gather(*(client.registry.CreateModel(request) for request in requests))

    assert len({model.name for model in made}) == 60
    assert len({model.uid for model in made}) == 60


async def test_health_follows_the_blob_store(settings: RegistrySettings, client: Any) -> None:
    assert await client.health(SERVICE) == SERVING

    folder = settings.folder
    folder.rename(folder.with_name("away"))
    folder.write_text("no folder")  # a folder would be made anew
    async with asyncio.timeout(20):
        while await client.health(SERVICE) == SERVING:
            await asyncio.sleep(0.05)
    folder.unlink()
    folder.with_name("away").rename(folder)
    async with asyncio.timeout(20):
        while await client.health(SERVICE) != SERVING:
            await asyncio.sleep(0.05)


async def test_what_was_acknowledged_outlives_kill_9_and_a_restart(
    tmp_path: Path, make_weights: Any, connect: Any
) -> None:
    names: list[str] = []
    for round_number in range(2):
        process, client, channel = await _started(tmp_path, connect)
        try:
            assert await client.models() == names[::-1]
            for index in range(3):
                name = f"m-{round_number}-{index}"
                await client.create_model(name, make_weights(round_number))
                names.append(name)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
            await channel.close()

    process, client, channel = await _started(tmp_path, connect)
    assert await client.models() == names[::-1]
    assert await client.health(SERVICE) == SERVING
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0
    await channel.close()


async def test_a_database_that_cannot_be_opened_ends_the_start_with_a_hint(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "MODELFOUNDRY_HOME": str(tmp_path),
        "MODELFOUNDRY_REGISTRY_DATABASE_URL": f"sqlite:///{tmp_path}",
        "MODELFOUNDRY_REGISTRY_LISTEN": "127.0.0.1:0",
    }
    done = await asyncio.to_thread(finished, "modelfoundry.registry", env=environment)

    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
    assert "hint: look at MODELFOUNDRY_REGISTRY_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


async def _started(folder: Path, connect: Any) -> tuple[WarmProcess, Any, grpc.aio.Channel]:
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "MODELFOUNDRY_HOME": str(folder),
        "MODELFOUNDRY_REGISTRY_LISTEN": "127.0.0.1:0",
        "MODELFOUNDRY_REGISTRY_PORT_FILE": str(port_file),
    }
    process = started("modelfoundry.registry", env=environment)
    async with asyncio.timeout(60):
        while not port_file.exists():
            assert process.poll() is None
            await asyncio.sleep(0.05)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port_file.read_text().strip()}")
    return process, connect(channel), channel
