"""AliasService over gRPC: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import alias_service_pb2 as pb
from modelfoundry.api.registry.v1 import alias_service_pb2_grpc
from modelfoundry.registry.aliases.aliases import Aliases
from modelfoundry.registry.aliases.codec import alias_to_proto, move_to_proto, version_to_proto
from modelfoundry.registry.catalog.calls import fill_page, list_request

Context = grpc.aio.ServicerContext[Any, Any]
Result = TypeVar("Result")
_THREADS: Final = 4


class AliasServicer(alias_service_pb2_grpc.AliasServiceServicer):
    """Serves `modelfoundry.api.registry.v1.AliasService`."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aliases")

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self._threads.shutdown()

    async def SetAlias(self, request: pb.SetAliasRequest, context: Context) -> pb.Alias:
        """See the contract."""
        expected = request.expected_target if request.HasField("expected_target") else None
        return alias_to_proto(await self._run(lambda: self._aliases.set(request.name, request.target, expected)))

    async def DeleteAlias(self, request: pb.DeleteAliasRequest, context: Context) -> Empty:
        """See the contract."""
        expected = request.expected_target if request.HasField("expected_target") else None
        await self._run(lambda: self._aliases.delete(request.name, expected))
        return Empty()

    async def ListAliases(self, request: pb.ListAliasesRequest, context: Context) -> pb.ListAliasesResponse:
        """See the contract."""
        response = pb.ListAliasesResponse()
        page = await self._run(lambda: self._aliases.aliases(list_request(request)))
        response.next_page_token = fill_page(page, alias_to_proto, response.aliases)
        return response

    async def ListAliasMoves(self, request: pb.ListAliasMovesRequest, context: Context) -> pb.ListAliasMovesResponse:
        """See the contract."""
        response = pb.ListAliasMovesResponse()
        page = await self._run(lambda: self._aliases.moves(list_request(request)))
        response.next_page_token = fill_page(page, move_to_proto, response.moves)
        return response

    async def AddVersion(self, request: pb.AddVersionRequest, context: Context) -> pb.Version:
        """See the contract."""
        return version_to_proto(await self._run(lambda: self._aliases.add_version(request.family, request.resource)))

    async def ListVersions(self, request: pb.ListVersionsRequest, context: Context) -> pb.ListVersionsResponse:
        """See the contract."""
        response = pb.ListVersionsResponse()
        page = await self._run(lambda: self._aliases.versions(list_request(request)))
        response.next_page_token = fill_page(page, version_to_proto, response.versions)
        return response

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
