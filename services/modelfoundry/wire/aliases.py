"""Aliases and versions."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import alias_service_pb2 as pb
from modelfoundry.values.aliases import Alias, AliasMove, Version
from modelfoundry.wire.pairs import Pair

ALIAS = Pair(Alias, pb.Alias)
alias_to_proto = ALIAS.to_proto
alias_from_proto = ALIAS.from_proto

ALIAS_MOVE = Pair(AliasMove, pb.AliasMove)
alias_move_to_proto = ALIAS_MOVE.to_proto
alias_move_from_proto = ALIAS_MOVE.from_proto

VERSION = Pair(Version, pb.Version)
version_to_proto = VERSION.to_proto
version_from_proto = VERSION.from_proto
