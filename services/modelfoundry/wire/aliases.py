"""Aliases and versions."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import alias_service_pb2 as pb
from modelfoundry.values.aliases import Alias, AliasMove, Version
from modelfoundry.wire.times import time_from_proto


def alias_from_proto(message: pb.Alias) -> Alias:
    """Message to value."""
    return Alias(
        name=message.name,
        target=message.target,
        version=message.version,
        update_time=time_from_proto(message, "update_time"),
    )


def alias_move_from_proto(message: pb.AliasMove) -> AliasMove:
    """Message to value."""
    return AliasMove(
        alias=message.alias,
        previous_target=message.previous_target,
        target=message.target,
        move_time=time_from_proto(message, "move_time"),
    )


def version_from_proto(message: pb.Version) -> Version:
    """Message to value."""
    return Version(
        name=message.name,
        resource=message.resource,
        version=message.version,
        create_time=time_from_proto(message, "create_time"),
    )
