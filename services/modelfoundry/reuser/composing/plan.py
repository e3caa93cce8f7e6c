"""What a composition will be chosen from, checked and complete before anything is computed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from modelfoundry.client import CompositionTask, Dataset
from modelfoundry.core.composing import Candidate
from modelfoundry.errors import InvalidField
from modelfoundry.reuser.composing.candidates import Source, Stock
from modelfoundry.reuser.composing.checks import (
    check_known,
    check_preprocessing,
    check_same_labels,
    common_shape,
    unknown_label,
)
from modelfoundry.reuser.composing.request import CompositionRequest, MoreAccurate, NewTask, Patch
from modelfoundry.workbench.resources import AsyncResources
from modelfoundry.workbench.splits import check_dataset_fits, check_validation_labels, check_validation_split

COMPOSING_VERSION: Final = "1"
"""Changes when the same request gives other compositions, so that older ones are not taken for equal."""

_PERMISSIONS: Final = ("force", "allow_different_preprocessing")
"""Fields of a request that change whether it is carried out, not what comes of it."""


@dataclass(frozen=True, slots=True)
class LabelImages:
    """Where the images of one label come from."""

    dataset: str
    label: str
    """The label's name there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionPlan:
    """A request that can be carried out, and the name of its result."""

    request: CompositionRequest
    task: CompositionTask
    labels: tuple[str, ...]
    images: tuple[LabelImages, ...]
    """For every label."""
    datasets: tuple[Dataset, ...]
    """Each once, in the order in which labels name them."""
    known: tuple[str, ...]
    """Labels that validation data is cut among: those of the models; empty: all of each data set."""
    candidates: tuple[Candidate, ...]
    rivals: tuple[str, ...]
    """Models and compositions that the composition is compared with."""
    cache_key: str
    composition_id: str


async def plan_composition(request: CompositionRequest, resources: AsyncResources) -> CompositionPlan:
    """Looks up sources, candidates and data, and checks that they go together.

    Raises:
        NotFound: a source, a data set, or the base model of a module is not there.
        InvalidField: sources have different labels, images or preprocessing, or one has no modules.
        UnknownLabel: a label that no candidate knows.
        DatasetMismatch: images of a data set do not fit, or validation data would lack a label.
        TestSplitSealed: validation data was asked from the test split.
    """
    stock = Stock(resources)
    match request.task:
        case MoreAccurate():
            found = await _plan_more_accurate(request.task, request, stock)
        case NewTask():
            found = await _plan_new_task(request.task, stock)
        case Patch():
            found = await _plan_patch(request.task, request, stock)
    names = dict.fromkeys(each.dataset for each in found.images)
    datasets = await asyncio.gather(*(resources.dataset(name) for name in names))
    _check_datasets(request, found, {dataset.name: dataset for dataset in datasets})
    candidates = tuple(dict.fromkeys(found.candidates))
    cache_key = _cache_key(request, found, candidates, stock, datasets)
    return CompositionPlan(
        request=request,
        task=found.task,
        labels=found.labels,
        images=found.images,
        datasets=tuple(datasets),
        known=found.known,
        candidates=candidates,
        rivals=found.rivals,
        cache_key=cache_key,
        composition_id=request.composition_id or f"{_words(found.words)}-{cache_key[:8]}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What differs from task to task."""

    task: CompositionTask
    labels: tuple[str, ...]
    images: tuple[LabelImages, ...]
    known: tuple[str, ...]
    candidates: Sequence[Candidate]
    shape: tuple[int, int, int]
    rivals: tuple[str, ...]
    words: str
    """What the composition is called when the caller gives no name."""


async def _plan_more_accurate(task: MoreAccurate, request: CompositionRequest, stock: Stock) -> _Found:
    sources = await _sources(task.sources, "more_accurate.sources", stock)
    first = sources[0]
    for other in sources[1:]:
        check_same_labels(first, other)
    shape = common_shape((source.field, source.input_spec, source.name) for source in sources)
    if not request.allow_different_preprocessing:
        await check_preprocessing(sources, stock)
    wanted = {label: label for label in first.labels}
    candidates: list[Candidate] = []
    for source in sources:
        offered = await stock.candidates(source, wanted)
        if not offered:
            raise InvalidField(
                f"{source.field}: {source.name} has no modules",
                field=source.field,
                hint="decompose it first, or leave it out",
            )
        candidates += offered
    check_known(first.labels, {label: label for label in first.labels}, candidates, "more_accurate.sources", sources)
    return _Found(
        task=CompositionTask.MORE_ACCURATE,
        labels=first.labels,
        images=tuple(LabelImages(request.dataset, label) for label in first.labels),
        known=first.labels,
        candidates=candidates,
        shape=shape,
        rivals=task.sources,
        words=f"composed-{first.name.rpartition('/')[2]}",
    )


async def _plan_new_task(task: NewTask, stock: Stock) -> _Found:
    fields = [f"new_task.labels[{place}]" for place in range(len(task.labels))]
    named = [
        await _sources(new.sources, f"{field}.sources", stock) for new, field in zip(task.labels, fields, strict=True)
    ]
    shape = common_shape((source.field, source.input_spec, source.name) for sources in named for source in sources)
    candidates: list[Candidate] = []
    for new, field, sources in zip(task.labels, fields, named, strict=True):
        offered = [each for s in sources for each in await stock.candidates(s, {new.source_label: new.label})]
        check_known([new.label], {new.label: new.source_label}, offered, field, sources)
        candidates += offered
    labels = tuple(new.label for new in task.labels)
    return _Found(
        task=CompositionTask.NEW_TASK,
        labels=labels,
        images=tuple(LabelImages(new.dataset, new.source_label) for new in task.labels),
        known=(),
        candidates=candidates,
        shape=shape,
        rivals=(),
        words="-".join(labels),
    )


async def _plan_patch(task: Patch, request: CompositionRequest, stock: Stock) -> _Found:
    model = await stock.resources.model(task.model)
    for place, label in enumerate(task.labels):
        if label not in model.labels:
            raise unknown_label(label, model.labels, f"patch.labels[{place}]", f"{model.name} has no label")
    sources = await _sources(task.sources, "patch.sources", stock)
    own = model.input
    specs = [(source.field, source.input_spec, source.name) for source in sources]
    shape = common_shape([("patch.model", own, model.name), *specs])
    if not request.allow_different_preprocessing:
        await check_preprocessing([Source(model, model.labels, own, "patch.model"), *sources], stock)
    replaceable = task.labels or model.labels
    offered = [
        each for source in sources for each in await stock.candidates(source, {label: label for label in replaceable})
    ]
    if task.labels:
        check_known(task.labels, {label: label for label in task.labels}, offered, "patch.sources", sources)
    elif not offered:
        raise InvalidField(
            f"patch.sources: they have no modules for any label of {model.name}",
            field="patch.sources",
            hint="decompose them first, or name others",
        )
    return _Found(
        task=CompositionTask.PATCH,
        labels=model.labels,
        images=tuple(LabelImages(request.dataset, label) for label in model.labels),
        known=model.labels,
        candidates=[*(stock.own_output(model, label) for label in model.labels), *offered],
        shape=shape,
        rivals=(model.name,),
        words=f"{model.id}-patched",
    )


async def _sources(names: Sequence[str], field: str, stock: Stock) -> list[Source]:
    return [await stock.source(name, field=f"{field}[{place}]") for place, name in enumerate(names)]


def _check_datasets(request: CompositionRequest, found: _Found, datasets: dict[str, Dataset]) -> None:
    for place, images in enumerate(found.images):
        named = isinstance(request.task, NewTask) and images.dataset != request.dataset
        field = f"new_task.labels[{place}].dataset" if named else "dataset"
        dataset = datasets[images.dataset]
        check_validation_split(request.validation, dataset)
        check_dataset_fits(dataset, found.shape, [images.label], field=field)
        check_validation_labels(dataset, request.validation, [images.label], field=field)


def _cache_key(
    request: CompositionRequest,
    found: _Found,
    candidates: Sequence[Candidate],
    stock: Stock,
    datasets: Sequence[Dataset],
) -> str:
    """SHA-256 over everything that the choice depends on, except the machine."""
    facts = {
        "version": COMPOSING_VERSION,
        "request": {key: value for key, value in asdict(request).items() if key not in _PERMISSIONS},
        "task": found.task,
        "candidates": [[*asdict(candidate).values(), stock.digests[candidate.source]] for candidate in candidates],
        "datasets": [[dataset.name, dataset.digest] for dataset in datasets],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _words(text: str) -> str:
    """The beginning of an id: lower-case words, room for a key left."""
    words = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:53].strip("-")
    return words if words[:1].isalpha() else f"composed-{words}"[:53].strip("-")
