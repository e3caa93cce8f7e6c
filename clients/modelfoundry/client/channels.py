"""How the SDK's channels to the services are set up."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, rebuild_service_pb2, training_service_pb2
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.operations.v1 import operation_events_service_pb2
from modelfoundry.api.registry.v1 import (
    alias_service_pb2,
    blob_service_pb2,
    card_service_pb2,
    direct_transfer_service_pb2,
    event_service_pb2,
    label_service_pb2,
    maintenance_service_pb2,
    registry_service_pb2,
    search_service_pb2,
    statement_service_pb2,
    webhook_service_pb2,
)
from modelfoundry.api.reuser.v1 import on_demand_service_pb2, reuser_service_pb2
from modelfoundry.wire.channels import channel_options

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
CONTRACTS: Final = tuple(
    module.DESCRIPTOR
    for module in (
        alias_service_pb2,
        blob_service_pb2,
        card_service_pb2,
        decomposer_service_pb2,
        direct_transfer_service_pb2,
        evaluator_service_pb2,
        event_service_pb2,
        label_service_pb2,
        maintenance_service_pb2,
        on_demand_service_pb2,
        operation_events_service_pb2,
        rebuild_service_pb2,
        registry_service_pb2,
        reuser_service_pb2,
        search_service_pb2,
        statement_service_pb2,
        training_service_pb2,
        webhook_service_pb2,
    )
)


def client_options(address: str) -> list[tuple[str, str | int]]:
    """Options of a channel to one address, behind which any of the services may be."""
    return [
        *channel_options(address, CONTRACTS),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]
