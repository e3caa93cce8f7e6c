"""Statements, their keys, and repeated decompositions."""

from __future__ import annotations

from google.protobuf.json_format import MessageToJson

from modelfoundry.api.decomposer.v1 import rebuild_service_pb2
from modelfoundry.api.registry.v1 import statement_service_pb2
from modelfoundry.values.statements import EnvironmentChange, Rebuild, SigningKey, Statement, TensorDifference
from modelfoundry.wire.computing import environment_from_proto
from modelfoundry.wire.times import time_from_proto


def statement_from_proto(message: statement_service_pb2.Statement) -> Statement:
    """Message to value; protobuf's JSON of an envelope is DSSE's."""
    return Statement(
        name=message.name,
        envelope=MessageToJson(message.envelope) if message.HasField("envelope") else "",
        key_ids=tuple(signature.keyid for signature in message.envelope.signatures),
        sign_time=time_from_proto(message, "sign_time"),
    )


def signing_key_from_proto(message: statement_service_pb2.SigningKey) -> SigningKey:
    """Message to value."""
    return SigningKey(
        key_id=message.key_id,
        public_key=message.public_key,
        create_time=time_from_proto(message, "create_time"),
        current=message.current,
    )


def rebuild_from_proto(message: rebuild_service_pb2.RebuildResponse) -> Rebuild:
    """Message to value."""
    return Rebuild(
        module=message.module,
        equal=message.equal,
        differences=tuple(TensorDifference(one.tensor, one.differing, one.entries) for one in message.differences),
        mask_entries=message.mask_entries,
        environment=environment_from_proto(message.environment),
        changes=tuple(EnvironmentChange(one.what, one.recorded, one.current) for one in message.changes),
    )
