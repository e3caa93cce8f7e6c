"""AliasService over gRPC: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import alias_service_pb2 as pb
from modelfoundry.api.registry.v1 import alias_service_pb2_grpc
from modelfoundry.registry.aliases.aliases import Aliases, alias_of, move_of, version_of
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.registry.records.calls import fill_page, list_request
from modelfoundry.runtime.server import Service
from modelfoundry.wire.aliases import alias_move_to_proto, alias_to_proto, version_to_proto

Context = grpc.aio.ServicerContext[Any, Any]


class AliasServicer(alias_service_pb2_grpc.AliasServiceServicer, Part):
    """Serves `modelfoundry.api.registry.v1.AliasService`."""

    def __init__(self, aliases: Aliases) -> None:
        Part.__init__(self, "aliases", 4)
        self._aliases = aliases

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        return [service_of(pb.DESCRIPTOR, alias_service_pb2_grpc.add_AliasServiceServicer_to_server, self)]

    async def SetAlias(self, request: pb.SetAliasRequest, context: Context) -> pb.Alias:
        """See the contract."""
        expected = request.expected_target if request.HasField("expected_target") else None
        return alias_to_proto(
            alias_of(await self.threads.run(self._aliases.set, request.name, request.target, expected))
        )

    async def DeleteAlias(self, request: pb.DeleteAliasRequest, context: Context) -> Empty:
        """See the contract."""
        expected = request.expected_target if request.HasField("expected_target") else None
        await self.threads.run(self._aliases.delete, request.name, expected)
        return Empty()

    async def ListAliases(self, request: pb.ListAliasesRequest, context: Context) -> pb.ListAliasesResponse:
        """See the contract."""
        response = pb.ListAliasesResponse()
        page = await self.threads.run(self._aliases.aliases, list_request(request))
        response.next_page_token = fill_page(page, lambda row: alias_to_proto(alias_of(row)), response.aliases)
        return response

    async def ListAliasMoves(self, request: pb.ListAliasMovesRequest, context: Context) -> pb.ListAliasMovesResponse:
        """See the contract."""
        response = pb.ListAliasMovesResponse()
        page = await self.threads.run(self._aliases.moves, list_request(request))
        response.next_page_token = fill_page(page, lambda row: alias_move_to_proto(move_of(row)), response.moves)
        return response

    async def AddVersion(self, request: pb.AddVersionRequest, context: Context) -> pb.Version:
        """See the contract."""
        row = await self.threads.run(self._aliases.add_version, request.family, request.resource)
        return version_to_proto(version_of(row))

    async def ListVersions(self, request: pb.ListVersionsRequest, context: Context) -> pb.ListVersionsResponse:
        """See the contract."""
        response = pb.ListVersionsResponse()
        page = await self.threads.run(self._aliases.versions, list_request(request))
        response.next_page_token = fill_page(page, lambda row: version_to_proto(version_of(row)), response.versions)
        return response
