"""Aliases, moves and versions as messages."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from modelfoundry.api.registry.v1 import alias_service_pb2 as pb
from modelfoundry.registry.records.alias_tables import AliasMoveRow, AliasRow, VersionRow


def alias_to_proto(row: AliasRow) -> pb.Alias:
    """An alias."""
    return pb.Alias(name=row.name, target=row.target, version=row.version, update_time=_time(row.update_time))


def move_to_proto(row: AliasMoveRow) -> pb.AliasMove:
    """A move."""
    return pb.AliasMove(
        alias=row.alias, previous_target=row.previous_target, target=row.target, move_time=_time(row.move_time)
    )


def version_to_proto(row: VersionRow) -> pb.Version:
    """A version."""
    return pb.Version(
        name=f"{row.family_name}@{row.version}",
        resource=row.resource,
        version=row.version,
        create_time=_time(row.create_time),
    )


def _time(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
