"""The door: one client for all services."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from grpc_health.v1 import health_pb2

from modelfoundry import errors
from modelfoundry.client._async.aliases import AsyncAliases
from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.browsing import AsyncBrowsing
from modelfoundry.client._async.cards import AsyncCards
from modelfoundry.client._async.composing import AsyncComposing
from modelfoundry.client._async.compositions import AsyncCompositions
from modelfoundry.client._async.datasets import AsyncDatasets
from modelfoundry.client._async.decomposing import AsyncDecomposing
from modelfoundry.client._async.evaluating import AsyncEvaluating
from modelfoundry.client._async.evaluations import AsyncEvaluations
from modelfoundry.client._async.hub import AsyncHub
from modelfoundry.client._async.jobs import AsyncJobs
from modelfoundry.client._async.maintenance import AsyncMaintenance
from modelfoundry.client._async.models import AsyncModels
from modelfoundry.client._async.modules import AsyncModules
from modelfoundry.client._async.on_demand import AsyncOnDemand
from modelfoundry.client._async.reusing import AsyncReusing
from modelfoundry.client._async.statements import AsyncStatements
from modelfoundry.client._async.vocabularies import AsyncVocabularies
from modelfoundry.client._async.webhooks import AsyncWebhooks
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.names import DEFAULT_PROJECT
from modelfoundry.values.results import ServiceHealth


class AsyncClient(AsyncDecomposing, AsyncEvaluating, AsyncReusing, AsyncComposing, AsyncOnDemand, AsyncBrowsing):
    """A client of all four services.

    Args:
        endpoints: Where the services listen. None: `Endpoints.resolve()`.
        parent: `projects/{project}` that bare ids and new resources belong to.
        timeouts: Deadlines.
        retries: How often broken transfers and watches are taken up again.

    All methods raise the classes of `modelfoundry.errors`, with `hint`, `field` and `violations` as the service gave
    them. No call is made before the first method is called. Close it, or use it in an `async with` block.
    """

    models: AsyncModels
    datasets: AsyncDatasets
    modules: AsyncModules
    compositions: AsyncCompositions
    evaluations: AsyncEvaluations
    blobs: AsyncBlobs
    jobs: AsyncJobs
    aliases: AsyncAliases
    cards: AsyncCards
    hub: AsyncHub
    vocabularies: AsyncVocabularies
    webhooks: AsyncWebhooks
    statements: AsyncStatements
    maintenance: AsyncMaintenance

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
        self._transport = AsyncTransport(self.endpoints, timeouts or Timeouts(), retries or Retries())
        self.blobs = AsyncBlobs(self._transport, parent)
        self.models = AsyncModels(self._transport, parent, self.blobs)
        self.datasets = AsyncDatasets(self._transport, parent, self.blobs)
        self.compositions = AsyncCompositions(self._transport, parent)
        self.evaluations = AsyncEvaluations(self._transport, parent)
        self.jobs = AsyncJobs(self._transport, parent)
        self.aliases = AsyncAliases(self._transport, parent)
        self.cards = AsyncCards(self._transport, parent)
        self.vocabularies = AsyncVocabularies(self._transport, parent)
        self.webhooks = AsyncWebhooks(self._transport, parent)
        self.statements = AsyncStatements(self._transport, parent, self.blobs)
        self.maintenance = AsyncMaintenance(self._transport)
        self.modules = AsyncModules(self._transport, parent, self.blobs)
        self.hub = AsyncHub(
            self._transport, parent, self.blobs, self.cards, self.models, self.modules, self.compositions
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the channels. Calls that still run are cancelled."""
        await self._transport.close()

    async def health(self) -> Mapping[Service, ServiceHealth]:
        """Whether each service answers and is ready. Never raises for a service that does not."""
        return {service: await self._health_of(service) for service in Service}

    async def _health_of(self, service: Service) -> ServiceHealth:
        request = health_pb2.HealthCheckRequest()
        address = str(getattr(self.endpoints, service.value))  # may be empty, and is then said to be so below
        try:
            response = await self._transport.unary(service, self._transport.stubs.health(service).Check, request)
        except errors.ModelFoundryError as error:
            return ServiceHealth(address, ready=False, detail=error.message)
        ready = response.status == health_pb2.HealthCheckResponse.SERVING
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        return ServiceHealth(address, ready=ready, detail="" if ready else f"it says {status}")


def connect_async(
    *,
    registry: str | None = None,
    decomposer: str | None = None,
    evaluator: str | None = None,
    reuser: str | None = None,
    parent: str = DEFAULT_PROJECT,
) -> AsyncClient:
    """A client for the addresses given, else those of the environment, of `modelfoundry up`, or the default ports.

    `Endpoints.resolve` says when the default ports are taken, and what it raises otherwise.
    """
    endpoints = Endpoints.resolve(registry=registry, decomposer=decomposer, evaluator=evaluator, reuser=reuser)
    return AsyncClient(endpoints, parent=parent)
