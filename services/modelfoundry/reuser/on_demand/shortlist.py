"""What the registry holds for the labels of a request: looked up, nothing computed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from modelfoundry.client import (
    AsyncClient,
    BinaryProblem,
    Dataset,
    FoundLabels,
    Match,
    MatchKind,
    Model,
    Module,
)
from modelfoundry.errors import DatasetMismatch, FieldViolation, InvalidField, NotFound, UnknownLabel
from modelfoundry.names import near, shortened
from modelfoundry.reuser.on_demand.offers import Accuracy, Constraints, LabelOffers, ModelOffer, ModuleOffer
from modelfoundry.workbench.resources import AsyncResources

NEAREST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class KnownLabel:
    """A label as it was asked for, and what models call it."""

    asked: str
    matches: tuple[Match, ...]
    """Why: all of one meaning, which differ in case, accents and punctuation."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """What models call it."""
        return tuple(match.label for match in self.matches)

    def match(self, spelling: str) -> Match:
        """Why it is called so."""
        return next(match for match in self.matches if match.label == spelling)


async def known_labels(asked: Sequence[str], client: AsyncClient) -> tuple[KnownLabel, ...]:
    """Finds what models call the labels of a request.

    Raises:
        UnknownLabel: models do not know some; each is a violation that names the nearest known labels.
        InvalidField: two of them mean the same.
    """
    found = await asyncio.gather(*(_found(label, f"labels[{place}]", client) for place, label in enumerate(asked)))
    unknown: list[tuple[str, str, list[str]]] = []
    known: list[KnownLabel] = []
    for place, (label, labels) in enumerate(zip(asked, found, strict=True)):
        meant = _meant(labels.matches)
        if meant:
            known.append(KnownLabel(label, tuple(meant)))
        else:
            unknown.append((f"labels[{place}]", *_told(label, labels)))
    if unknown:
        raise _unknown(unknown)
    _check_different(known, asked)
    return tuple(known)


@dataclass
class Shortlist:
    """Reads models, modules and data sets of one request, each once.

    Args:
        resources: Of the request; everything that is found becomes known there.
        constraints: Of the request.
        compact: Whether the time of the compacted form counts, in place of the masked one.
    """

    resources: AsyncResources
    constraints: Constraints
    compact: bool
    modules: dict[str, Module] = field(default_factory=dict)
    """Everything that is offered, by name."""
    models: dict[str, Model] = field(default_factory=dict)
    _datasets: list[Dataset] | None = None

    async def offers(self, label: KnownLabel) -> LabelOffers:
        """Everything that there is for one label.

        Raises:
            NotFound: the data set of the constraints is not there.
            DatasetMismatch: it lacks the label, and no module of the label was searched on it.
        """
        models = await self._models_of(label.spellings)
        modules = await self._modules_of(label.spellings)
        if self._datasets is None:
            self._datasets = await self._read_datasets()
        model_offers = tuple(self._model_offer(model, label) for model in models)
        module_offers = tuple(
            module_offer(module, self.models[module.base_model], compact=self.compact)
            for module in modules
            if module.base_model in self.models
        )
        self._check_dataset(label, module_offers)
        return LabelOffers(label=label.asked, modules=module_offers, models=model_offers)

    async def _models_of(self, spellings: Iterable[str]) -> list[Model]:
        found: dict[str, Model] = {}
        for spelling in spellings:
            async for model in self.resources.client.models.list(f"labels:{quoted(spelling)}", order_by="name"):
                self.resources.known.add(model)
                found[model.name] = self.models.setdefault(model.name, model)
        return list(found.values())

    async def _modules_of(self, spellings: Iterable[str]) -> list[Module]:
        found: dict[str, Module] = {}
        for spelling in spellings:
            async for module in self.resources.client.modules.list(f"labels:{quoted(spelling)}", order_by="name"):
                if module.problem == BinaryProblem(spelling):
                    self.resources.known.add(module)
                    found[module.name] = self.modules.setdefault(module.name, module)
        return list(found.values())

    async def _read_datasets(self) -> list[Dataset]:
        """The one of the constraints, else all by name."""
        if not self.constraints.dataset:
            found = [dataset async for dataset in self.resources.client.datasets.list(order_by="name")]
            self.resources.known.add(*found)
            return found
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
            for dataset in self._datasets or []
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
        (dataset,) = self._datasets or []
        if not set(label.spellings) & set(dataset.labels):
            similar = near(label.spellings[0], dataset.labels)
            raise DatasetMismatch(
                f"constraints.dataset: {wanted} lacks the label {shortened(label.spellings[0])!r}",
                field="constraints.dataset",
                hint=f"did you mean {similar[0]!r}?" if similar else "name a data set that has all labels, or none",
                metadata={"near": ", ".join(similar)},
            )


def module_offer(module: Module, base: Model, *, compact: bool) -> ModuleOffer:
    """A binary module as what it has to offer.

    Args:
        module: The module.
        base: Its base model.
        compact: Whether the time of the compacted form counts, in place of the masked one.
    """
    record = module.record
    known = record.validation_samples > 0
    return ModuleOffer(
        name=module.name,
        label=module.problem.labels[0],
        accuracy=Accuracy(record.validation_accuracy, record.validation_samples) if known else None,
        size_bytes=module.artifact.size_bytes,
        latency_ms=_latency(module, compact=compact),
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
    form = module.forms.compacted if compact else module.forms.masked
    return min((each.median_ms for each in form.latencies if each.batch_size == 1), default=None)


def quoted(text: str) -> str:
    """A text as filters take it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _found(label: str, field: str, client: AsyncClient) -> FoundLabels:
    try:
        return await client.find_labels(label)
    except InvalidField as error:
        raise InvalidField(f"{field}: {shortened(label)!r} has no words", field=field, hint=error.hint) from error


def _meant(matches: Sequence[Match]) -> list[Match]:
    """The labels that a word stands for: the word itself, else those of the one meaning that it is a synonym of."""
    named = [match for match in matches if match.kind is MatchKind.LABEL]
    if named:
        return named
    synonyms = [match for match in matches if match.kind is MatchKind.SYNONYM]
    meanings = {"".join(filter(str.isalnum, match.label.casefold())) for match in synonyms}
    return synonyms if len(meanings) == 1 else []


def _told(label: str, found: FoundLabels) -> tuple[str, list[str]]:
    """Why a label is not known, and what could be asked for instead."""
    by_kind = {
        kind: [match.label for match in found.matches if match.kind is kind]
        for kind in (
            *(MatchKind.SYNONYM, MatchKind.MEMBER),
            *(MatchKind.PREFIX, MatchKind.SPELLING, MatchKind.SUPER_CLASS),
        )
    }
    name = shortened(label)
    if by_kind[MatchKind.SYNONYM]:
        return f"{name!r} has several meanings that models know", by_kind[MatchKind.SYNONYM]
    if by_kind[MatchKind.MEMBER]:
        return f"{name!r} is a super-class; models know its members", by_kind[MatchKind.MEMBER]
    similar = [*by_kind[MatchKind.PREFIX], *by_kind[MatchKind.SPELLING], *by_kind[MatchKind.SUPER_CLASS]]
    similar = similar or near(label, found.known_labels)
    return f"no registered model knows {name!r}", similar or list(found.known_labels)


def _unknown(unknown: Sequence[tuple[str, str, list[str]]]) -> UnknownLabel:
    field, what, nearest = unknown[0]
    shown = ", ".join(shortened(label, 40) for label in nearest[:NEAREST_SHOWN])
    return UnknownLabel(
        f"{field}: {what}",
        field=field,
        hint=f"known are {shown}" if shown else "no model is registered: push or train one first",
        violations=tuple(
            FieldViolation(path, f"{told}: known are {', '.join(labels[:NEAREST_SHOWN]) or 'none'}")
            for path, told, labels in unknown
        ),
        metadata={"near": ", ".join(nearest[:NEAREST_SHOWN])},
    )


def _check_different(known: Sequence[KnownLabel], asked: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for label in known:
        for spelling in label.spellings:
            other = seen.setdefault(spelling, label.asked)
            if other != label.asked or asked.count(label.asked) > 1:
                place = len(asked) - 1 - list(reversed(asked)).index(label.asked)
                path = f"labels[{place}]"
                raise InvalidField(
                    f"{path}: {shortened(label.asked)!r} is there twice"
                    if other == label.asked
                    else f"{path}: {shortened(label.asked)!r} means the same as {shortened(other)!r}",
                    field=path,
                    hint="name every label once",
                )
