"""Statements, their keys, and repeated decompositions."""

from __future__ import annotations

from google.protobuf.json_format import MessageToJson

from modelfoundry.api.decomposer.v1 import rebuild_service_pb2
from modelfoundry.api.registry.v1 import statement_service_pb2
from modelfoundry.values.statements import EnvironmentChange, Rebuild, SigningKey, Statement, TensorDifference
from modelfoundry.wire.computing import ENVIRONMENT
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.well_known import timestamp_from_proto

SIGNING_KEY = Pair(SigningKey, statement_service_pb2.SigningKey)
signing_key_to_proto = SIGNING_KEY.to_proto
signing_key_from_proto = SIGNING_KEY.from_proto

REBUILD = Pair(
    Rebuild,
    rebuild_service_pb2.RebuildResponse,
    Pair(TensorDifference, rebuild_service_pb2.TensorDifference),
    Pair(EnvironmentChange, rebuild_service_pb2.EnvironmentChange),
    ENVIRONMENT,
)
rebuild_to_proto = REBUILD.to_proto
rebuild_from_proto = REBUILD.from_proto


def statement_from_proto(message: statement_service_pb2.Statement) -> Statement:
    """Message to value; protobuf's JSON of an envelope is DSSE's."""
    return Statement(
        name=message.name,
        envelope=MessageToJson(message.envelope) if message.HasField("envelope") else "",
        key_ids=tuple(signature.keyid for signature in message.envelope.signatures),
        sign_time=timestamp_from_proto(message.sign_time) if message.HasField("sign_time") else None,
    )
