"""The whole registry on a real socket, on both blob stores."""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from minio_server import MinioServer
from pydantic import SecretStr

from modelfoundry.api.registry.v1 import (
    blob_service_pb2,
    blob_service_pb2_grpc,
    dataset_pb2,
    model_pb2,
    registry_service_pb2_grpc,
)
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2
from modelfoundry.registry.app import registry
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.server import running
from modelfoundry.runtime.shutdown import ShutdownSignal

PARENT = "projects/default"


def safetensors(tensors: Mapping[str, tuple[str, Any]]) -> bytes:
    header: dict[str, Any] = {}
    data = b""
    for name, (dtype, array) in tensors.items():
        content = array.tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def weights(seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).normal(size=(3, 16)).astype(np.float32)
    return safetensors({"fc.weight": ("F32", values), "fc.bias": ("F32", np.zeros(3, dtype=np.float32))})


def split(labels: Sequence[int] = (0, 1, 2)) -> bytes:
    images = np.zeros((len(labels), 1, 8, 8), dtype=np.uint8)
    return safetensors({"images": ("U8", images), "labels": ("I64", np.array(labels, dtype=np.int64))})


@dataclass(frozen=True)
class Client:
    """Stubs of a registry, and the steps that every test needs."""

    channel: grpc.aio.Channel
    address: str = ""

    @property
    def registry(self) -> Any:
        return registry_service_pb2_grpc.RegistryServiceStub(self.channel)

    @property
    def blobs(self) -> Any:
        return blob_service_pb2_grpc.BlobServiceStub(self.channel)

    async def upload(self, content: bytes) -> blob_pb2.BlobRef:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        upload = await self.blobs.CreateUpload(
            blob_service_pb2.CreateUploadRequest(
                parent=PARENT,
                upload=blob_service_pb2.Upload(blob=blob_pb2.BlobRef(digest=digest, size_bytes=len(content))),
            )
        )
        if upload.complete:
            return blob_pb2.BlobRef(digest=digest)

        async def chunks() -> AsyncIterator[blob_service_pb2.WriteBlobRequest]:
            for offset in range(0, len(content), 1 << 20):
                data = content[offset : offset + (1 << 20)]
                yield blob_service_pb2.WriteBlobRequest(
                    name=upload.name, write_offset=offset, data=data, crc32=zlib.crc32(data)
                )

        await self.blobs.WriteBlob(chunks())
        return await self.blobs.FinalizeUpload(blob_service_pb2.FinalizeUploadRequest(name=upload.name))

    async def model_request(self, model_id: str, content: bytes, **fields: Any) -> model_pb2.CreateModelRequest:
        defaults: dict[str, Any] = {
            "architecture": architecture_pb2.Architecture(builder="zoo:digits_cnn"),
            "input": architecture_pb2.InputSpec(channels=1, height=8, width=8),
            "labels": ["a", "b", "c"],
            "weights": await self.upload(content),
        }
        return model_pb2.CreateModelRequest(
            parent=PARENT, model_id=model_id, model=model_pb2.Model(**{**defaults, **fields})
        )

    async def create_model(self, model_id: str, content: bytes | None = None, **fields: Any) -> model_pb2.Model:
        return await self.registry.CreateModel(await self.model_request(model_id, content or weights(), **fields))

    async def create_dataset(self, dataset_id: str, splits: Sequence[str] = ("train",)) -> dataset_pb2.Dataset:
        dataset = dataset_pb2.Dataset(labels=["a", "b", "c"])
        for name in splits:
            dataset.splits.add(split=name, content=await self.upload(split()))
        return await self.registry.CreateDataset(
            dataset_pb2.CreateDatasetRequest(parent=PARENT, dataset_id=dataset_id, dataset=dataset)
        )

    async def models(self) -> list[str]:
        response = await self.registry.ListModels(model_pb2.ListModelsRequest(parent=PARENT))
        return [model.name.rpartition("/")[2] for model in response.models]

    async def health(self, service: str = "") -> int:
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        status: int = (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status
        return status


def failure(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    """Code and ErrorInfo of a failed call."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                    info = error_details_pb2.ErrorInfo()
                    detail.Unpack(info)
                    return error.code(), info
    raise AssertionError(f"no ErrorInfo in {error!r}")


@asynccontextmanager
async def serving(settings: RegistrySettings) -> AsyncIterator[Client]:
    shutdown = ShutdownSignal()
    options = ServerOptions(lame_duck_seconds=0, grace_seconds=5, readiness_seconds=0.2)
    async with (
        registry(settings, shutdown) as parts,
        running(
            parts.services, ready=parts.ready, background=parts.background, options=options, shutdown=shutdown
        ) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield Client(channel, f"127.0.0.1:{server.port}")


@pytest.fixture(params=["local", "minio"])
def store_settings(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings of each blob store in turn."""
    if request.param == "local":
        yield {"blob_store": "local"}
        return
    server: MinioServer = request.getfixturevalue("minio_server")
    bucket = f"test-{uuid.uuid4().hex}"
    yield {
        "blob_store": "minio",
        "minio_endpoint": server.endpoint,
        "minio_access_key": server.access_key,
        "minio_secret_key": SecretStr(server.secret_key),
        "minio_bucket": bucket,
    }
    server.remove_bucket(bucket)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RegistrySettings:
    """A registry with everything in a temporary folder."""
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(tmp_path))
    return RegistrySettings()


@pytest.fixture
async def client(settings: RegistrySettings) -> AsyncIterator[Client]:
    """A running registry on a local folder."""
    async with serving(settings) as client:
        yield client


@pytest.fixture
def serve() -> Any:
    """`serve(settings)`: a running registry."""
    return serving


@pytest.fixture
def failure_of() -> Any:
    """`failure_of(error)`: code and ErrorInfo of a failed call."""
    return failure


@pytest.fixture
def make_weights() -> Any:
    """`make_weights(seed)`: a sound file."""
    return weights


@pytest.fixture
def connect() -> type[Client]:
    """`connect(channel)`: stubs of a registry that runs elsewhere."""
    return Client
