"""The door: one client for all services."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from modelfoundry.api.registry.v1 import provenance_pb2
from modelfoundry.client._async.aliases import AsyncAliases
from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.datasets import AsyncDatasets
from modelfoundry.client._async.evaluations import AsyncEvaluations
from modelfoundry.client._async.jobs import AsyncJob, AsyncJobs
from modelfoundry.client._async.maintenance import AsyncMaintenance
from modelfoundry.client._async.models import AsyncModels
from modelfoundry.client._async.modules import AsyncModules
from modelfoundry.client._async.pages import each
from modelfoundry.client._async.verbs import AsyncVerbs
from modelfoundry.client.architectures import Architecture
from modelfoundry.client.codec.resources import provenance_edge_from_proto
from modelfoundry.client.computing import Device, ValidationSplit
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts
from modelfoundry.client.images import ImageLike
from modelfoundry.client.problems import Problem, problem_from
from modelfoundry.client.recipes import RecipeDescription, SeamRecipe, TrainingRecipe
from modelfoundry.client.references import Named
from modelfoundry.client.requests import chosen
from modelfoundry.client.resources import Evaluation, Module, ProvenanceEdge
from modelfoundry.client.results import Export, ExportFormat, Prediction, ServiceHealth, TrainedModel
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.names import DEFAULT_PROJECT


class AsyncClient:
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
    evaluations: AsyncEvaluations
    blobs: AsyncBlobs
    jobs: AsyncJobs
    aliases: AsyncAliases
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
        self.evaluations = AsyncEvaluations(self._transport, parent)
        self.jobs = AsyncJobs(self._transport, parent)
        self.aliases = AsyncAliases(self._transport, parent)
        self.maintenance = AsyncMaintenance(self._transport)
        self._verbs = AsyncVerbs(self._transport, parent)
        self.modules = AsyncModules(self._transport, parent, self.blobs, self._verbs)

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
            recipe: How to train. None: the service's defaults.
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
        dataset: Named,
        *,
        split: str = "test",
        baselines: bool = False,
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
            dataset: Labelled images: id, name or `Dataset`.
            split: The split.
            baselines: For every module also measure its base model on the module's problem, both ways.
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
            dataset,
            split=split,
            baselines=baselines,
            problem=problem_from(problem, label, labels),
            latency_batch_sizes=latency_batch_sizes,
            device=chosen(device, Device, "device"),
            request_id=request_id,
        )

    async def export(
        self, subject: Named, format: ExportFormat | str = ExportFormat.SAFETENSORS, *, request_id: str | None = None
    ) -> AsyncJob[Export]:
        """Starts writing a module or model in a format that runs elsewhere. `modules.download` also fetches the files.

        Args:
            subject: A module (bare id) or model (`models/ID`).
            format: `safetensors` (`model.safetensors`), `torch_export` (`model.pt2`) or `onnx` (`model.onnx`), each
                with `module.json`.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the service says.
        """
        return await self._verbs.export(subject, chosen(format, ExportFormat, "format"), request_id)

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
        """The decomposer's recipes, with all settings."""
        return await self._verbs.recipes()

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
