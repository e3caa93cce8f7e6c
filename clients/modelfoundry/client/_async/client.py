"""The door: one client for all services."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from modelfoundry.api.registry.v1 import provenance_pb2, search_pb2
from modelfoundry.client._async.aliases import AsyncAliases
from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.cards import AsyncCards
from modelfoundry.client._async.composing import AsyncComposing
from modelfoundry.client._async.compositions import AsyncCompositions
from modelfoundry.client._async.datasets import AsyncDatasets
from modelfoundry.client._async.evaluations import AsyncEvaluations
from modelfoundry.client._async.events import followed_events, past_events
from modelfoundry.client._async.hub import AsyncHub
from modelfoundry.client._async.jobs import AsyncJob, AsyncJobs
from modelfoundry.client._async.lineage import get_lineage, list_dependents
from modelfoundry.client._async.maintenance import AsyncMaintenance
from modelfoundry.client._async.models import AsyncModels
from modelfoundry.client._async.modules import AsyncModules
from modelfoundry.client._async.on_demand import AsyncOnDemand
from modelfoundry.client._async.pages import each
from modelfoundry.client._async.statements import AsyncStatements
from modelfoundry.client._async.verbs import AsyncVerbs
from modelfoundry.client._async.vocabularies import AsyncVocabularies
from modelfoundry.client._async.webhooks import AsyncWebhooks
from modelfoundry.client.architectures import Architecture
from modelfoundry.client.codec.lineage import event_filter_to_proto
from modelfoundry.client.codec.resources import provenance_edge_from_proto
from modelfoundry.client.codec.searching import search_result_from_proto
from modelfoundry.client.computing import Device, ValidationSplit
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts
from modelfoundry.client.images import ImageLike
from modelfoundry.client.lineage import Dependents, Direction, EventKind, Lineage, RegistryEvent
from modelfoundry.client.problems import Problem, label_groups_from, problem_from
from modelfoundry.client.recipes import (
    GradSplitterRecipe,
    GradSplitterRecipeDescription,
    RecipeDescription,
    SeamRecipe,
    TrainingRecipe,
    TrainingRecipeDescription,
)
from modelfoundry.client.references import Named, any_name
from modelfoundry.client.requests import chosen
from modelfoundry.client.resources import Evaluation, Module, ProvenanceEdge
from modelfoundry.client.results import Compaction, Export, ExportFormat, Prediction, ServiceHealth, TrainedModel
from modelfoundry.client.searching import SearchResult
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.names import DEFAULT_PROJECT


class AsyncClient(AsyncComposing, AsyncOnDemand):
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
        self._verbs = AsyncVerbs(self._transport, parent)
        self.modules = AsyncModules(self._transport, parent, self.blobs, self._verbs)
        self.hub = AsyncHub(
            self._transport,
            parent,
            self._verbs,
            self.blobs,
            self.cards,
            self.models,
            self.modules,
            self.compositions,
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

    async def decompose(
        self,
        model: Named,
        dataset: Named,
        *,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        problem: Problem | None = None,
        recipe: SeamRecipe | None = None,
        validation: ValidationSplit | None = None,
        seed: int = 0,
        device: Device | str = Device.AUTO,
        module_id: str = "",
        force: bool = False,
        request_id: str | None = None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts the search for the weights that one problem needs (SeaM); the result is one module.

        Args:
            model: The trained model: id, name or `Model`.
            dataset: Labelled images: id, name or `Dataset`.
            label: Binary problem: this label against the rest. Give one of `label`, `labels`, `problem`.
            labels: Multi-class problem: these labels, two or more.
            problem: The problem as a value.
            recipe: How to search. None: the paper's.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            seed: Seed of initialisation, sampling and dropout.
            device: `auto`, `cpu` or `cuda`.
            module_id: Last segment of the module's name. Empty: made from model, label and settings.
            force: Search again even when an equal module exists.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnknownLabel, DatasetMismatch, InvalidField, NotFound, UnsupportedModel, Unavailable: as the service says.
        """
        return await self._verbs.decompose(
            model,
            dataset,
            problem_from(problem, label, labels),
            recipe or SeamRecipe(),
            validation or ValidationSplit(),
            seed=seed,
            device=chosen(device, Device, "device"),
            module_id=module_id,
            force=force,
            request_id=request_id,
        )

    async def decompose_all(
        self,
        model: Named,
        dataset: Named,
        *,
        label_groups: Sequence[Sequence[str]] = (),
        recipe: GradSplitterRecipe | None = None,
        validation: ValidationSplit | None = None,
        seed: int = 0,
        device: Device | str = Device.AUTO,
        module_id: str = "",
        force: bool = False,
        request_id: str | None = None,
    ) -> AsyncJob[tuple[Module, ...]]:
        """Starts the search for the kernels that each label needs (GradSplitter); the result is a module for each.

        Args:
            model: The trained model, convolutional: id, name or `Model`.
            dataset: Labelled images with all labels of the model: id, name or `Dataset`.
            label_groups: Labels that one module recognises together. Labels in no group get a module each.
            recipe: How to search. None: the paper's.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            seed: Seed of initialisation and order.
            device: `auto`, `cpu` or `cuda`.
            module_id: Beginning of the modules' ids, before their labels, at most 40 characters. Empty: made from model
                and settings.
            force: Search again even when equal modules exist.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Returns:
            A job that results in all modules, in the order of the model's labels.

        Raises:
            UnsupportedModel: no kernel of the model can be cut out; layer and reason are named.
            UnknownLabel, DatasetMismatch, InvalidField, NotFound, Unavailable: as the service says.
        """
        return await self._verbs.decompose_all(
            model,
            dataset,
            label_groups_from(label_groups),
            recipe or GradSplitterRecipe(),
            validation or ValidationSplit(),
            seed=seed,
            device=chosen(device, Device, "device"),
            module_id=module_id,
            force=force,
            request_id=request_id,
        )

    async def train(
        self,
        architecture: Architecture | str,
        dataset: Named,
        *,
        recipe: TrainingRecipe | None = None,
        validation: ValidationSplit | None = None,
        seed: int = 0,
        device: Device | str = Device.AUTO,
        model_id: str = "",
        request_id: str | None = None,
    ) -> AsyncJob[TrainedModel]:
        """Starts training a network from scratch; the epoch with the best validation accuracy is registered.

        Args:
            architecture: What to train, or its builder's name, for example `zoo:simcnn`.
            dataset: Labelled images: id, name or `Dataset`.
            recipe: How to train. None: the recipe `default`. `TrainingRecipe(recipe="weak")` trains on an imbalanced
                part of the data that the seed chooses.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            seed: Seed of initialisation, sampling and dropout.
            device: `auto`, `cpu` or `cuda`.
            model_id: Last segment of the model's name. Empty: made from architecture and data set.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnknownArchitecture, DatasetMismatch, InvalidField, NotFound, Unavailable: as the service says.
        """
        return await self._verbs.train(
            Architecture(architecture) if isinstance(architecture, str) else architecture,
            dataset,
            recipe or TrainingRecipe(),
            validation or ValidationSplit(),
            seed=seed,
            device=chosen(device, Device, "device"),
            model_id=model_id,
            request_id=request_id,
        )

    async def evaluate(
        self,
        subjects: Named | Iterable[Named],
        dataset: Named | Iterable[Named],
        *,
        split: str = "test",
        baselines: bool = False,
        modularity: bool = False,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        problem: Problem | None = None,
        latency_batch_sizes: Sequence[int] = (),
        device: Device | str = Device.AUTO,
        request_id: str | None = None,
    ) -> AsyncJob[tuple[Evaluation, ...]]:
        """Starts measuring models and modules on one split; what was found is stored in the registry.

        Args:
            subjects: One or up to 1000 models and modules. A bare id names a module; write `models/ID` for a model.
            dataset: Labelled images: id, name or `Dataset`. Several: a composition of labels from these data sets is
                measured on all of them in one evaluation.
            split: The split.
            baselines: For every module also measure its base model on the module's problem, both ways. For every
                composition what it was compared with, and on several data sets how well it does within each.
            modularity: Also measure every module as a software module: cohesion, coupling with the other modules of
                the same base among the subjects, reuse gain. Implies `baselines`.
            label: For models: pose this binary problem in place of all labels.
            labels: For models: pose this multi-class problem.
            problem: For models: pose this problem.
            latency_batch_sizes: Batch sizes at which to time the forward pass. Empty: no timing.
            device: `auto`, `cpu` or `cuda`.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Returns:
            A job that results in the evaluations, subjects in the order asked, each followed by its baselines.

        Raises:
            DatasetMismatch, UnknownLabel, InvalidField, NotFound, Unavailable: as the service says.
        """
        given = [subjects] if isinstance(subjects, Named) else list(subjects)
        return await self._verbs.evaluate(
            given,
            [dataset] if isinstance(dataset, Named) else list(dataset),
            split=split,
            baselines=baselines,
            modularity=modularity,
            problem=problem_from(problem, label, labels),
            latency_batch_sizes=latency_batch_sizes,
            device=chosen(device, Device, "device"),
            request_id=request_id,
        )

    async def export(
        self,
        subject: Named,
        format: ExportFormat | str = ExportFormat.SAFETENSORS,
        *,
        compact: bool = False,
        request_id: str | None = None,
    ) -> AsyncJob[Export]:
        """Starts writing a module or model in a format that runs elsewhere. `modules.download` also fetches the files.

        Args:
            subject: A module (bare id) or model (`models/ID`).
            format: `safetensors` (`model.safetensors`), `torch_export` (`model.pt2`) or `onnx` (`model.onnx`), each
                with `module.json`.
            compact: Write a module without its dead channels: smaller and faster, with the same outputs.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the service says.
        """
        return await self._verbs.export(subject, chosen(format, ExportFormat, "format"), request_id, compact=compact)

    async def compact(
        self, module: Named, *, latency_batch_sizes: Sequence[int] = (), request_id: str | None = None
    ) -> AsyncJob[Compaction]:
        """Starts removing a module's dead channels, and measures original, masked and compacted form side by side.

        What was measured is then on the module (`Module.forms`). `export` and `modules.download` write the compacted
        form with `compact=True`.

        Args:
            module: Id, name or `Module`.
            latency_batch_sizes: Batch sizes at which to time the forward pass. Empty: 1 and 16.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnsupportedModel, InvalidField, NotFound, Unavailable: as the service says.
        """
        return await self._verbs.compact(module, latency_batch_sizes, request_id)

    async def predict(
        self, subject: Named, images: ImageLike | Iterable[ImageLike], *, top_k: int = 0
    ) -> tuple[Prediction, ...]:
        """Classifies images; large numbers go in several calls.

        Args:
            subject: A module (bare id) or model (`models/ID`).
            images: One or many: a path or the bytes of a PNG or JPEG file, or a uint8 array [channels, height, width]
                with the subject's own extents; an array [n, channels, height, width] is n images.
            top_k: At most this many labels in an answer. 0: all.

        Returns:
            One prediction an image, in the order given.

        Raises:
            InvalidImage: an image is unreadable or has a wrong shape; it is named.
            NotFound, Unavailable: as the service says.
        """
        return await self._verbs.predict(subject, images, top_k)

    async def recipes(self) -> tuple[RecipeDescription, ...]:
        """The recipes of `decompose`, with all settings."""
        return await self._verbs.recipes()

    async def gradsplitter_recipes(self) -> tuple[GradSplitterRecipeDescription, ...]:
        """The recipes of `decompose_all`, with all settings."""
        return await self._verbs.gradsplitter_recipes()

    async def training_recipes(self) -> tuple[TrainingRecipeDescription, ...]:
        """The recipes of `train`, with all settings."""
        return await self._verbs.training_recipes()

    async def search(self, query: str = "", filter: str = "", order_by: str = "") -> AsyncIterator[SearchResult]:
        """Modules that answer a query, the most relevant first, fetched page by page.

        Args:
            query: Label text. Empty: all modules.
            filter: AIP-160 filter, for example `accuracy > 0.9 AND size_bytes < 2000000 AND license = "MIT"`.
            order_by: For example `size_bytes, accuracy desc`. Empty: by the reason of the match, equals by accuracy.

        Raises:
            InvalidField: query, filter or order are not as the contract says.
        """
        request = search_pb2.SearchModulesRequest(parent=self.parent, query=query, filter=filter, order_by=order_by)
        async for message in each(self._transport, self._transport.stubs.search.SearchModules, request, "results"):
            yield search_result_from_proto(message)

    async def provenance(self, filter: str = "") -> AsyncIterator[ProvenanceEdge]:
        """Steps of provenance, oldest first, page by page.

        Args:
            filter: AIP-160 filter over `subject`, `object`, `relation` (`MODULE_OF`, ...), `object_digest`,
                `create_time`.
        """
        request = provenance_pb2.ListProvenanceEdgesRequest(parent=self.parent, filter=filter)
        method = self._transport.stubs.registry.ListProvenanceEdges
        async for message in each(self._transport, method, request, "edges"):
            edge = provenance_edge_from_proto(message)
            if edge is not None:
                yield edge

    async def lineage(
        self, name: Named, *, depth: int = 0, direction: Direction | str = Direction.BOTH, max_nodes: int = 0
    ) -> Lineage:
        """Walks the provenance of a resource or job: where it came from, and what came from it.

        Args:
            name: A module (bare id), any other resource (`models/ID`) or job (`operations/ID`).
            depth: Steps at most. 0: the server's 10.
            direction: `ancestors`, `descendants` or `both`.
            max_nodes: Nodes at most, nearest first. 0: the server's 500.

        Raises:
            NotFound: there is no such resource, and no step of provenance names it.
        """
        way = chosen(direction, Direction, "direction")
        whole = any_name(name, self.parent)
        return await get_lineage(self._transport, whole, way, depth=depth, max_nodes=max_nodes)

    async def dependents(self, name: Named) -> Dependents:
        """What would be deleted together with a resource with `cascade`.

        Args:
            name: A module (bare id) or any other resource (`models/ID`).

        Raises:
            NotFound: there is no such resource.
        """
        return await list_dependents(self._transport, any_name(name, self.parent))

    async def events(
        self,
        after: int | None = None,
        *,
        kinds: Sequence[EventKind | str] = (),
        collections: Sequence[str] = (),
        follow: bool = True,
    ) -> AsyncIterator[RegistryEvent]:
        """Changes in the registry, past ones first. A broken stream is opened again: nothing is missed or comes twice.

        Args:
            after: Only events with a larger number: that of the last event seen. None: from the oldest that is kept.
            kinds: Which kinds of events: `created`, `updated`, `evaluated`, `aliased`, `deleted`. Empty: all.
            collections: Of which resources: `models`, `modules`, ... Empty: of all.
            follow: Go on with what happens from now on, without end.

        Raises:
            CursorExpired: events after `after` are not kept any more.
            Unavailable: the registry cannot be reached, after several attempts that brought nothing.
        """
        members = [chosen(kind, EventKind, "kinds") for kind in kinds]
        source = followed_events if follow else past_events
        async for event in source(self._transport, self.parent, event_filter_to_proto(members, collections), after):
            yield event

    async def health(self) -> Mapping[Service, ServiceHealth]:
        """Whether each service answers and is ready. Never raises for a service that does not."""
        return await self._verbs.health()


def connect_async(
    *,
    registry: str | None = None,
    decomposer: str | None = None,
    evaluator: str | None = None,
    reuser: str | None = None,
    parent: str = DEFAULT_PROJECT,
) -> AsyncClient:
    """A client for the addresses given, else those of the environment, of `modelfoundry up`, or the default ports."""
    endpoints = Endpoints.resolve(registry=registry, decomposer=decomposer, evaluator=evaluator, reuser=reuser)
    return AsyncClient(endpoints, parent=parent)
