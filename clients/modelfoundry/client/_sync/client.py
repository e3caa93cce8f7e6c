# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""The door: one client for all services."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from grpc_health.v1 import health_pb2

from modelfoundry import errors
from modelfoundry.client._sync.aliases import Aliases
from modelfoundry.client._sync.blobs import Blobs
from modelfoundry.client._sync.browsing import Browsing
from modelfoundry.client._sync.cards import Cards
from modelfoundry.client._sync.composing import Composing
from modelfoundry.client._sync.compositions import Compositions
from modelfoundry.client._sync.datasets import Datasets
from modelfoundry.client._sync.decomposing import Decomposing
from modelfoundry.client._sync.evaluating import Evaluating
from modelfoundry.client._sync.evaluations import Evaluations
from modelfoundry.client._sync.hub import Hub
from modelfoundry.client._sync.jobs import Jobs
from modelfoundry.client._sync.maintenance import Maintenance
from modelfoundry.client._sync.models import Models
from modelfoundry.client._sync.modules import Modules
from modelfoundry.client._sync.on_demand import OnDemand
from modelfoundry.client._sync.reusing import Reusing
from modelfoundry.client._sync.statements import Statements
from modelfoundry.client._sync.vocabularies import Vocabularies
from modelfoundry.client._sync.webhooks import Webhooks
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts
from modelfoundry.client.transport import Transport
from modelfoundry.names import DEFAULT_PROJECT
from modelfoundry.values.results import ServiceHealth


class Client(Decomposing, Evaluating, Reusing, Composing, OnDemand, Browsing):
    """A client of all four services.

    Args:
        endpoints: Where the services listen. None: `Endpoints.resolve()`.
        parent: `projects/{project}` that bare ids and new resources belong to.
        timeouts: Deadlines.
        retries: How often broken transfers and watches are taken up again.

    All methods raise the classes of `modelfoundry.errors`, with `hint`, `field` and `violations` as the service gave
    them. No call is made before the first method is called. Close it, or use it in an `with` block.
    """

    models: Models
    datasets: Datasets
    modules: Modules
    compositions: Compositions
    evaluations: Evaluations
    blobs: Blobs
    jobs: Jobs
    aliases: Aliases
    cards: Cards
    hub: Hub
    vocabularies: Vocabularies
    webhooks: Webhooks
    statements: Statements
    maintenance: Maintenance

    def __init__(
        self,
        endpoints: Endpoints | None = None,
        *,
        parent: str = DEFAULT_PROJECT,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.endpoints = endpoints or Endpoints.resolve()
        self.parent = parent
        self._transport = Transport(self.endpoints, timeouts or Timeouts(), retries or Retries())
        self.blobs = Blobs(self._transport, parent)
        self.models = Models(self._transport, parent, self.blobs)
        self.datasets = Datasets(self._transport, parent, self.blobs)
        self.compositions = Compositions(self._transport, parent)
        self.evaluations = Evaluations(self._transport, parent)
        self.jobs = Jobs(self._transport, parent)
        self.aliases = Aliases(self._transport, parent)
        self.cards = Cards(self._transport, parent)
        self.vocabularies = Vocabularies(self._transport, parent)
        self.webhooks = Webhooks(self._transport, parent)
        self.statements = Statements(self._transport, parent, self.blobs)
        self.maintenance = Maintenance(self._transport)
        self.modules = Modules(self._transport, parent, self.blobs)
        self.hub = Hub(self._transport, parent, self.blobs, self.cards, self.models, self.modules, self.compositions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the channels. Calls that still run are cancelled."""
        self._transport.close()

    def health(self) -> Mapping[Service, ServiceHealth]:
        """Whether each service answers and is ready. Never raises for a service that does not."""
        return {service: self._health_of(service) for service in Service}

    def _health_of(self, service: Service) -> ServiceHealth:
        request = health_pb2.HealthCheckRequest()
        address = str(getattr(self.endpoints, service.value))  # may be empty, and is then said to be so below
        try:
            response = self._transport.unary(service, self._transport.stubs.health(service).Check, request)
        except errors.ModelFoundryError as error:
            return ServiceHealth(address, ready=False, detail=error.message)
        ready = response.status == health_pb2.HealthCheckResponse.SERVING
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        return ServiceHealth(address, ready=ready, detail="" if ready else f"it says {status}")


def connect(
    *,
    registry: str | None = None,
    decomposer: str | None = None,
    evaluator: str | None = None,
    reuser: str | None = None,
    parent: str = DEFAULT_PROJECT,
) -> Client:
    """A client for the addresses given, else those of the environment, of `modelfoundry up`, or the default ports.

    `Endpoints.resolve` says when the default ports are taken, and what it raises otherwise.
    """
    endpoints = Endpoints.resolve(registry=registry, decomposer=decomposer, evaluator=evaluator, reuser=reuser)
    return Client(endpoints, parent=parent)
