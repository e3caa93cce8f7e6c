"""What the registry holds for the labels of a request: looked up, nothing computed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from modelfoundry.client import BinaryProblem, Dataset, Model, Module
from modelfoundry.errors import DatasetMismatch, NotFound
from modelfoundry.names import near, shortened
from modelfoundry.reuser.on_demand.budgets import within_budgets
from modelfoundry.reuser.on_demand.known_labels import KnownLabel
from modelfoundry.reuser.on_demand.offers import Accuracy, Constraints, LabelOffers, ModelOffer, ModuleOffer
from modelfoundry.values.figures import FormCost
from modelfoundry.values.file_forms import ExportForm
from modelfoundry.values.frontiers import FrontierPoint
from modelfoundry.wire.decomposing import ALGORITHM_NAMES
from modelfoundry.workbench.resources import AsyncResources

# What the registry's filters take, see ListModelsRequest.
MOST_FILTER_BYTES: Final = 2048
MOST_FILTER_TERMS: Final = 50
Found = TypeVar("Found", Model, Module)


@dataclass
class Shortlist:
    """Reads models, modules and data sets of one request, each once.

    Args:
        resources: Of the request; everything that is found becomes known there.
        constraints: Of the request.
        compact: Whether the time of the compacted form counts, in place of the masked one.
        form: Of the files that are asked for; None: none are.
    """

    resources: AsyncResources
    constraints: Constraints
    compact: bool
    form: ExportForm | None = None
    _models: dict[str, Model] = field(default_factory=dict)
    """By name, in the order of the names, as the next two."""
    _modules: dict[str, Module] = field(default_factory=dict)
    _datasets: list[Dataset] = field(default_factory=list)

    async def offers(self, labels: Sequence[KnownLabel]) -> list[LabelOffers]:
        """Everything that there is for each label.

        Raises:
            NotFound: the data set of the constraints is not there.
            DatasetMismatch: it lacks a label, and no module of the label was searched on it.
        """
        spellings = dict.fromkeys(spelling for label in labels for spelling in label.spellings)
        # One list for all labels: a model that knows all of them is read once, and not once for each.
        self._models = await _by_name(self.resources.client.models.list, spellings)
        self._modules = await _by_name(self.resources.client.modules.list, spellings)
        self._datasets = await self._read_datasets()
        self.resources.known.add(*self._models.values(), *self._modules.values(), *self._datasets)
        return [self._offers(label) for label in labels]

    def _offers(self, label: KnownLabel) -> LabelOffers:
        models = [model for model in self._models.values() if not set(label.spellings).isdisjoint(model.labels)]
        problems = [BinaryProblem(spelling) for spelling in label.spellings]
        module_offers = tuple(
            module_offer(module, self._models[module.base_model], compact=self.compact, form=self.form)
            for module in self._modules.values()
            if module.problem in problems and module.base_model in self._models
        )
        self._check_dataset(label, module_offers)
        return LabelOffers(
            label=label.asked,
            modules=module_offers,
            models=tuple(self._model_offer(model, label) for model in models),
        )

    async def _read_datasets(self) -> list[Dataset]:
        """The one of the constraints, else all by name."""
        if not self.constraints.dataset:
            return [dataset async for dataset in self.resources.client.datasets.list(order_by="name")]
        try:
            return [await self.resources.dataset(self.constraints.dataset)]
        except NotFound as error:
            raise NotFound(
                f"constraints.dataset: {error.message}",
                field="constraints.dataset",
                hint=error.hint,
                metadata=error.metadata,
            ) from error

    def _model_offer(self, model: Model, label: KnownLabel) -> ModelOffer:
        spelling = next(spelling for spelling in label.spellings if spelling in model.labels)
        training = model.training
        known = training is not None and training.validation_samples > 0
        return ModelOffer(
            name=model.name,
            label=spelling,
            accuracy=Accuracy(training.validation_accuracy, training.validation_samples)
            if training and known
            else None,
            size_bytes=model.weights.size_bytes,
            license=model.license,
            architecture=model.architecture.builder,
            dataset=self._dataset_for(model, spelling),
            shape=(model.input.channels, model.input.height, model.input.width),
        )

    def _dataset_for(self, model: Model, label: str) -> str:
        """The data set to take a model apart on: that of the constraints, of its training, or the first that fits."""
        shape = (model.input.channels, model.input.height, model.input.width)
        fitting = [
            dataset
            for dataset in self._datasets
            if (dataset.channels, dataset.height, dataset.width) == shape and label in dataset.labels
        ]
        if not self.constraints.dataset:
            whole = [dataset for dataset in fitting if set(model.labels) <= set(dataset.labels)]
            fitting = [dataset for dataset in fitting if dataset.name == model.training_dataset] or whole
        return fitting[0].name if fitting else ""

    def _check_dataset(self, label: KnownLabel, modules: Sequence[ModuleOffer]) -> None:
        wanted = self.constraints.dataset
        if not wanted or any(offer.dataset == wanted for offer in modules):
            return
        (dataset,) = self._datasets
        if not set(label.spellings) & set(dataset.labels):
            similar = near(label.spellings[0], dataset.labels)
            raise DatasetMismatch(
                f"constraints.dataset: {wanted} lacks the label {shortened(label.spellings[0])!r}",
                field="constraints.dataset",
                hint=f"did you mean {similar[0]!r}?" if similar else "name a data set that has all labels, or none",
                metadata={"near": ", ".join(similar)},
            )


def module_offer(module: Module, base: Model, *, compact: bool, form: ExportForm | None = None) -> ModuleOffer:
    """A binary module as what it has to offer.

    Args:
        module: The module.
        base: Its base model.
        compact: Whether the time of the compacted form counts, in place of the masked one.
        form: Of the files that are asked for; None: none are. Figures of files of another form do not count.
    """
    record = module.record
    point = _point(module, form)
    accuracy = record.validation_accuracy if point is None or point.accuracy is None else point.accuracy
    # Of records of joint searches of before the figure is that of all modules together: of another problem.
    known = record.validation_samples > 0 and not record.holds_joint
    macs, latency = (point.macs, point.latency) if point else _shares(module, compact=compact)
    return ModuleOffer(
        name=module.name,
        label=module.problem.labels[0],
        accuracy=Accuracy(accuracy, record.validation_samples) if known else None,
        size_bytes=point.bytes if point else module.artifact.size_bytes,
        latency_ms=_latency(module, compact=compact),
        macs=macs,
        latency=latency,
        base_accuracy=record.validation_accuracy_base if known else None,
        license=module.license,
        model=base.name,
        dataset=module.dataset,
        architecture=base.architecture.builder,
        algorithm=record.algorithm,
        shape=(base.input.channels, base.input.height, base.input.width),
    )


def _latency(module: Module, *, compact: bool) -> float | None:
    """Median time of one image in milliseconds, of the compacted or the masked form; None when it was not measured."""
    if module.forms is None:
        return None
    return _median(module.forms.compacted if compact else module.forms.masked)


def _median(form: FormCost) -> float | None:
    return min((each.median_ms for each in form.latencies if each.batch_size == 1), default=None)


def _point(module: Module, form: ExportForm | None) -> FrontierPoint | None:
    """What is on record of the file that a network of its own was judged by; None where files of another form count."""
    frontier = module.record.frontier
    return frontier.taken if frontier is not None and form in {None, frontier.form} else None


def _shares(module: Module, *, compact: bool) -> tuple[float | None, float | None]:
    """Multiply-accumulates and time as shares of the base's; None: not measured."""
    if module.forms is None:
        # Masked weights are multiplied as before: nothing is to be measured there.
        masked = not compact and module.record.algorithm in ALGORITHM_NAMES
        return (1.0, 1.0) if masked and not within_budgets(module.record.algorithm) else (None, None)
    original, form = module.forms.original, module.forms.compacted if compact else module.forms.masked
    whole, part = _median(original), _median(form)
    macs = form.macs_dense / original.macs_dense if original.macs_dense else None
    return macs, part / whole if part is not None and whole else None


def quoted(text: str) -> str:
    """A text as filters take it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _by_name(of: Callable[[str, str], AsyncIterator[Found]], spellings: Iterable[str]) -> dict[str, Found]:
    """Models or modules that know any of the labels, in the order of their names."""
    found = [each for filter_ in filters_of(spellings) async for each in of(filter_, "name")]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def filters_of(spellings: Iterable[str]) -> Iterator[str]:
    """Filters for what knows any of several labels, each as long as the registry takes it, mostly one."""
    terms: list[str] = []
    for spelling in spellings:
        term = f"labels:{quoted(spelling)}"
        if terms and (len(terms) == MOST_FILTER_TERMS or len(" OR ".join([*terms, term]).encode()) > MOST_FILTER_BYTES):
            yield " OR ".join(terms)
            terms = []
        terms.append(term)
    if terms:
        yield " OR ".join(terms)
