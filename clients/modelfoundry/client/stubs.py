"""The generated stubs of all services, typed for asyncio and for threads, made when they are first needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.longrunning.operations_pb2_grpc import OperationsStub
from grpc_health.v1.health_pb2_grpc import HealthStub

from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceStub
from modelfoundry.api.decomposer.v1.rebuild_service_pb2_grpc import RebuildServiceStub
from modelfoundry.api.decomposer.v1.training_service_pb2_grpc import TrainingServiceStub
from modelfoundry.api.evaluator.v1.evaluator_service_pb2_grpc import EvaluatorServiceStub
from modelfoundry.api.operations.v1.operation_events_service_pb2_grpc import OperationEventsServiceStub
from modelfoundry.api.registry.v1.alias_service_pb2_grpc import AliasServiceStub
from modelfoundry.api.registry.v1.blob_service_pb2_grpc import BlobServiceStub
from modelfoundry.api.registry.v1.card_service_pb2_grpc import CardServiceStub
from modelfoundry.api.registry.v1.direct_transfer_service_pb2_grpc import DirectTransferServiceStub
from modelfoundry.api.registry.v1.event_service_pb2_grpc import EventServiceStub
from modelfoundry.api.registry.v1.label_service_pb2_grpc import LabelServiceStub
from modelfoundry.api.registry.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from modelfoundry.api.registry.v1.search_service_pb2_grpc import SearchServiceStub
from modelfoundry.api.registry.v1.statement_service_pb2_grpc import StatementServiceStub
from modelfoundry.api.registry.v1.webhook_service_pb2_grpc import WebhookServiceStub
from modelfoundry.api.reuser.v1.on_demand_service_pb2_grpc import OnDemandServiceStub
from modelfoundry.api.reuser.v1.reuser_service_pb2_grpc import ReuserServiceStub
from modelfoundry.client.endpoints import Service

if TYPE_CHECKING:
    from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceAsyncStub
    from modelfoundry.api.decomposer.v1.rebuild_service_pb2_grpc import RebuildServiceAsyncStub
    from modelfoundry.api.decomposer.v1.training_service_pb2_grpc import TrainingServiceAsyncStub
    from modelfoundry.api.evaluator.v1.evaluator_service_pb2_grpc import EvaluatorServiceAsyncStub
    from modelfoundry.api.operations.v1.operation_events_service_pb2_grpc import OperationEventsServiceAsyncStub
    from modelfoundry.api.registry.v1.alias_service_pb2_grpc import AliasServiceAsyncStub
    from modelfoundry.api.registry.v1.blob_service_pb2_grpc import BlobServiceAsyncStub
    from modelfoundry.api.registry.v1.card_service_pb2_grpc import CardServiceAsyncStub
    from modelfoundry.api.registry.v1.direct_transfer_service_pb2_grpc import DirectTransferServiceAsyncStub
    from modelfoundry.api.registry.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from modelfoundry.api.registry.v1.label_service_pb2_grpc import LabelServiceAsyncStub
    from modelfoundry.api.registry.v1.maintenance_service_pb2_grpc import MaintenanceServiceAsyncStub
    from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceAsyncStub
    from modelfoundry.api.registry.v1.search_service_pb2_grpc import SearchServiceAsyncStub
    from modelfoundry.api.registry.v1.statement_service_pb2_grpc import StatementServiceAsyncStub
    from modelfoundry.api.registry.v1.webhook_service_pb2_grpc import WebhookServiceAsyncStub
    from modelfoundry.api.reuser.v1.on_demand_service_pb2_grpc import OnDemandServiceAsyncStub
    from modelfoundry.api.reuser.v1.reuser_service_pb2_grpc import ReuserServiceAsyncStub


class AsyncStubs:
    """Stubs over `grpc.aio` channels."""

    def __init__(
        self, channel: Callable[[Service], grpc.aio.Channel], thread_channel: Callable[[Service], grpc.Channel]
    ) -> None:
        self._channel = channel
        self._thread_channel = thread_channel

    @cached_property
    def registry(self) -> RegistryServiceAsyncStub:
        """Resources."""
        return RegistryServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def search(self) -> SearchServiceAsyncStub:
        """Searches and vocabularies."""
        return SearchServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def cards(self) -> CardServiceAsyncStub:
        """Cards."""
        return CardServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def labels(self) -> LabelServiceAsyncStub:
        """Labels that models know."""
        return LabelServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def blobs(self) -> BlobServiceAsyncStub:
        """Bytes."""
        return BlobServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def uploads(self) -> BlobServiceStub:
        """Bytes, for `send`."""
        return BlobServiceStub(self._thread_channel(Service.REGISTRY))

    @cached_property
    def direct_transfers(self) -> DirectTransferServiceAsyncStub:
        """Addresses in the object store."""
        return DirectTransferServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def aliases(self) -> AliasServiceAsyncStub:
        """Aliases and versions."""
        return AliasServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def maintenance(self) -> MaintenanceServiceAsyncStub:
        """Garbage collection and checks."""
        return MaintenanceServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def operations(self) -> Any:
        """Jobs. The library's stub is untyped."""
        return OperationsStub(self._channel(Service.REGISTRY))  # type: ignore[no-untyped-call]

    @cached_property
    def events(self) -> OperationEventsServiceAsyncStub:
        """Events of jobs."""
        return OperationEventsServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def registry_events(self) -> EventServiceAsyncStub:
        """Changes in the registry."""
        return EventServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def statements(self) -> StatementServiceAsyncStub:
        """Signed statements."""
        return StatementServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def webhooks(self) -> WebhookServiceAsyncStub:
        """Receivers of changes."""
        return WebhookServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def decomposer(self) -> DecomposerServiceAsyncStub:
        """Decomposing."""
        return DecomposerServiceStub(self._channel(Service.DECOMPOSER))

    @cached_property
    def rebuilding(self) -> RebuildServiceAsyncStub:
        """Repeating decompositions."""
        return RebuildServiceStub(self._channel(Service.DECOMPOSER))

    @cached_property
    def training(self) -> TrainingServiceAsyncStub:
        """Training."""
        return TrainingServiceStub(self._channel(Service.DECOMPOSER))

    @cached_property
    def evaluator(self) -> EvaluatorServiceAsyncStub:
        """Measuring."""
        return EvaluatorServiceStub(self._channel(Service.EVALUATOR))

    @cached_property
    def reuser(self) -> ReuserServiceAsyncStub:
        """Exporting and predicting."""
        return ReuserServiceStub(self._channel(Service.REUSER))

    @cached_property
    def on_demand(self) -> OnDemandServiceAsyncStub:
        """Modules for labels."""
        return OnDemandServiceStub(self._channel(Service.REUSER))

    def health(self, service: Service) -> Any:
        """Health of one service."""
        return HealthStub(self._channel(service))


class Stubs:
    """Stubs over channels for threads."""

    def __init__(self, channel: Callable[[Service], grpc.Channel]) -> None:
        self._channel = channel

    @cached_property
    def registry(self) -> RegistryServiceStub:
        """Resources."""
        return RegistryServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def search(self) -> SearchServiceStub:
        """Searches and vocabularies."""
        return SearchServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def cards(self) -> CardServiceStub:
        """Cards."""
        return CardServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def labels(self) -> LabelServiceStub:
        """Labels that models know."""
        return LabelServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def blobs(self) -> BlobServiceStub:
        """Bytes."""
        return BlobServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def uploads(self) -> BlobServiceStub:
        """Bytes, for `send`."""
        return BlobServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def direct_transfers(self) -> DirectTransferServiceStub:
        """Addresses in the object store."""
        return DirectTransferServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def aliases(self) -> AliasServiceStub:
        """Aliases and versions."""
        return AliasServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def maintenance(self) -> MaintenanceServiceStub:
        """Garbage collection and checks."""
        return MaintenanceServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def operations(self) -> Any:
        """Jobs. The library's stub is untyped."""
        return OperationsStub(self._channel(Service.REGISTRY))  # type: ignore[no-untyped-call]

    @cached_property
    def events(self) -> OperationEventsServiceStub:
        """Events of jobs."""
        return OperationEventsServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def registry_events(self) -> EventServiceStub:
        """Changes in the registry."""
        return EventServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def statements(self) -> StatementServiceStub:
        """Signed statements."""
        return StatementServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def webhooks(self) -> WebhookServiceStub:
        """Receivers of changes."""
        return WebhookServiceStub(self._channel(Service.REGISTRY))

    @cached_property
    def decomposer(self) -> DecomposerServiceStub:
        """Decomposing."""
        return DecomposerServiceStub(self._channel(Service.DECOMPOSER))

    @cached_property
    def rebuilding(self) -> RebuildServiceStub:
        """Repeating decompositions."""
        return RebuildServiceStub(self._channel(Service.DECOMPOSER))

    @cached_property
    def training(self) -> TrainingServiceStub:
        """Training."""
        return TrainingServiceStub(self._channel(Service.DECOMPOSER))

    @cached_property
    def evaluator(self) -> EvaluatorServiceStub:
        """Measuring."""
        return EvaluatorServiceStub(self._channel(Service.EVALUATOR))

    @cached_property
    def reuser(self) -> ReuserServiceStub:
        """Exporting and predicting."""
        return ReuserServiceStub(self._channel(Service.REUSER))

    @cached_property
    def on_demand(self) -> OnDemandServiceStub:
        """Modules for labels."""
        return OnDemandServiceStub(self._channel(Service.REUSER))

    def health(self, service: Service) -> Any:
        """Health of one service."""
        return HealthStub(self._channel(service))
