"""StatementService over gRPC: reads what was signed, in threads of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc
from sqlmodel import col, select

from modelfoundry.api.registry.v1 import statement_service_pb2 as pb
from modelfoundry.api.registry.v1 import statement_service_pb2_grpc
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.registry.database import Database
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.registry.records.families import resolved
from modelfoundry.registry.records.finding import find
from modelfoundry.registry.records.tables import CompositionRow, ModuleRow, ResourceRow
from modelfoundry.registry.statements.tables import StatementKeyRow, StatementRow
from modelfoundry.runtime.server import Service
from modelfoundry.values.kinds import Kind
from modelfoundry.values.statements import SigningKey
from modelfoundry.wire.statements import signing_key_to_proto
from modelfoundry.wire.well_known import timestamp_to_proto

Context = grpc.aio.ServicerContext[Any, Any]
SIGNED: Final[dict[str, type[ResourceRow]]] = {Kind.MODULE: ModuleRow, Kind.COMPOSITION: CompositionRow}


class StatementServicer(statement_service_pb2_grpc.StatementServiceServicer, Part):
    """Serves `modelfoundry.api.registry.v1.StatementService`.

    Args:
        database: Where statements are.
        key_id: Names the key that this registry signs with.
    """

    def __init__(self, database: Database, key_id: str) -> None:
        Part.__init__(self, "statements")
        self._database = database
        self._key_id = key_id

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        return [service_of(pb.DESCRIPTOR, statement_service_pb2_grpc.add_StatementServiceServicer_to_server, self)]

    async def GetStatement(self, request: pb.GetStatementRequest, context: Context) -> pb.Statement:
        """See the contract."""
        return await self.threads.run(self._statement, request.name)

    async def ListSigningKeys(self, request: pb.ListSigningKeysRequest, context: Context) -> pb.ListSigningKeysResponse:
        """See the contract."""
        return pb.ListSigningKeysResponse(keys=await self.threads.run(self._keys))

    def _statement(self, name: str) -> pb.Statement:
        collection = _collection_of(name)
        with self._database.read_session() as session:
            name = resolved(session, name, collection, field="name")
            message = pb.Statement(name=name)
            find(session, SIGNED[collection], name, field="name")
            row = session.get(StatementRow, name)
        if row is not None:
            message.envelope.ParseFromString(row.envelope)
            message.sign_time.CopyFrom(timestamp_to_proto(row.sign_time))
        return message

    def _keys(self) -> list[pb.SigningKey]:
        with self._database.read_session() as session:
            rows = session.exec(
                select(StatementKeyRow).order_by(col(StatementKeyRow.create_time), col(StatementKeyRow.key_id))
            ).all()
        return [
            signing_key_to_proto(
                SigningKey(
                    key_id=row.key_id,
                    public_key=row.public_key,
                    create_time=row.create_time,
                    current=row.key_id == self._key_id,
                )
            )
            for row in rows
        ]


def _collection_of(name: str) -> str:
    match name.split("/", 4):
        case ["projects", _, (Kind.MODULE | Kind.COMPOSITION) as collection, _]:
            return collection
    raise InvalidField(
        f"name: {shortened(name)!r} is neither a module nor a composition",
        field="name",
        hint="pass projects/{project}/modules/{module} or projects/{project}/compositions/{composition}",
    )
