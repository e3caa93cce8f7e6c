"""Real gRPC servers on loopback ports, and both clients behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2_grpc
from grpc_status import rpc_status

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc, training_service_pb2_grpc
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2_grpc
from modelfoundry.api.operations.v1 import operation_events_service_pb2_grpc
from modelfoundry.api.registry.v1 import blob_service_pb2_grpc, registry_service_pb2_grpc
from modelfoundry.api.reuser.v1 import reuser_service_pb2_grpc
from modelfoundry.client import AsyncClient, Client, Endpoints, Retries
from modelfoundry.errors import ModelFoundryError
from modelfoundry.wire.statuses import status_for

ADD_BY_SERVICER = {
    registry_service_pb2_grpc.RegistryServiceServicer: registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
    blob_service_pb2_grpc.BlobServiceServicer: blob_service_pb2_grpc.add_BlobServiceServicer_to_server,
    operations_pb2_grpc.OperationsServicer: operations_pb2_grpc.add_OperationsServicer_to_server,
    operation_events_service_pb2_grpc.OperationEventsServiceServicer: (
        operation_events_service_pb2_grpc.add_OperationEventsServiceServicer_to_server
    ),
    decomposer_service_pb2_grpc.DecomposerServiceServicer: (
        decomposer_service_pb2_grpc.add_DecomposerServiceServicer_to_server
    ),
    training_service_pb2_grpc.TrainingServiceServicer: training_service_pb2_grpc.add_TrainingServiceServicer_to_server,
    evaluator_service_pb2_grpc.EvaluatorServiceServicer: (
        evaluator_service_pb2_grpc.add_EvaluatorServiceServicer_to_server
    ),
    reuser_service_pb2_grpc.ReuserServiceServicer: reuser_service_pb2_grpc.add_ReuserServiceServicer_to_server,
}

FAST = Retries(without_progress=4, initial_backoff=0.01, max_backoff=0.02)

Serve = Callable[..., Endpoints]


def refuse(context: grpc.ServicerContext, error: ModelFoundryError) -> None:
    """Ends a call as the runtime does for this error."""
    context.abort_with_status(rpc_status.to_status(status_for(error)))


@pytest.fixture(name="refuse")
def refuse_fixture() -> Callable[[grpc.ServicerContext, ModelFoundryError], None]:
    return refuse


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server with the given servicers; all four endpoints lead to it."""
    servers = []

    def start(*servicers: object) -> Endpoints:
        server = grpc.server(ThreadPoolExecutor(16))
        for servicer in servicers:
            for base, add in ADD_BY_SERVICER.items():
                if isinstance(servicer, base):
                    add(servicer, server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        servers.append(server)
        return Endpoints(registry=address, decomposer=address, evaluator=address, reuser=address)

    yield start
    for server in servers:
        server.stop(None).wait()


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Calls a method, named as in `blobs.upload`, of the sync or of the asyncio client; iterators are collected."""

    def sync_call(endpoints: Endpoints, method: str, *args: Any, timeouts: Any = None, **kwargs: Any) -> Any:
        with Client(endpoints, retries=FAST, timeouts=timeouts) as client:
            target: Any = client
            for part in method.split("."):
                target = getattr(target, part)
            result = target(*args, **kwargs)
            return list(result) if hasattr(result, "__next__") else result

    def async_call(endpoints: Endpoints, method: str, *args: Any, timeouts: Any = None, **kwargs: Any) -> Any:
        async def main() -> Any:
            async with AsyncClient(endpoints, retries=FAST, timeouts=timeouts) as client:
                target: Any = client
                for part in method.split("."):
                    target = getattr(target, part)
                result = target(*args, **kwargs)
                if hasattr(result, "__anext__"):
                    return [item async for item in result]
                return await result

        return asyncio.run(main())

    return sync_call if request.param == "sync" else async_call
