"""What is asked for of a composition, read with every default filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelfoundry.api.reuser.v1 import composing_pb2 as pb
from modelfoundry.core.composing import DEFAULT_SCORE, DEFAULT_STRATEGY, check_score
from modelfoundry.errors import InvalidField
from modelfoundry.names import check_id, label_text, label_texts, parse_name, parse_parent, shortened
from modelfoundry.values.composing import Strategy
from modelfoundry.values.computing import Device, ValidationSplit
from modelfoundry.values.kinds import Kind
from modelfoundry.wire.composing import STRATEGY
from modelfoundry.wire.computing import DEVICE, VALIDATION
from modelfoundry.workbench.subject_names import subject_collection

MOST_SOURCES: Final = 1000


@dataclass(frozen=True, slots=True)
class MoreAccurate:
    """One classifier of several with the same labels."""

    sources: tuple[str, ...]

    @property
    def target(self) -> str:
        """The source that stands for the whole in lists of jobs."""
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class ResolvedLabel:
    """One label of a new task: what `values.composing.NewLabel` leaves open is said."""

    label: str
    source_label: str
    """Its name in the sources and in the data set."""
    sources: tuple[str, ...]
    dataset: str


@dataclass(frozen=True, slots=True)
class NewTask:
    """One classifier of labels from anywhere."""

    labels: tuple[ResolvedLabel, ...]

    @property
    def target(self) -> str:
        """The source that stands for the whole in lists of jobs."""
        return self.labels[0].sources[0]


@dataclass(frozen=True, slots=True)
class Patch:
    """A model without its weak spots."""

    model: str
    labels: tuple[str, ...]
    """To be replaced; empty: those found weak on validation data."""
    sources: tuple[str, ...]

    @property
    def target(self) -> str:
        """The model, which stands for the whole in lists of jobs."""
        return self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionRequest:
    """What the caller asked for, with every default filled in."""

    parent: str
    task: MoreAccurate | NewTask | Patch
    dataset: str
    """Empty for a new task."""
    validation: ValidationSplit
    score: str
    strategy: Strategy
    calibrate: bool
    composition_id: str
    device: Device
    force: bool
    allow_different_preprocessing: bool


def composition_from_proto(request: pb.ComposeModelRequest) -> CompositionRequest:
    """A request with its defaults filled in; names are well-formed, labels of a new task different.

    Raises:
        InvalidField: a field is missing or malformed.
    """
    parse_parent(request.parent)
    task = _task_from_proto(request)
    if request.dataset or not isinstance(task, NewTask):
        parse_name(request.dataset, Kind.DATASET, field="dataset")
    if request.composition_id:
        check_id(request.composition_id, field="composition_id")
    return CompositionRequest(
        parent=request.parent,
        task=task,
        dataset=request.dataset,
        validation=VALIDATION.from_request(request.validation, field="validation"),
        score=check_score(request.score or DEFAULT_SCORE),
        strategy=STRATEGY.from_request(request.strategy, field="strategy", default=Strategy(DEFAULT_STRATEGY)),
        calibrate=request.calibrate,
        composition_id=request.composition_id,
        device=DEVICE.from_request(request.device, field="device", default=Device.AUTO),
        force=request.force,
        allow_different_preprocessing=request.allow_different_preprocessing,
    )


def _task_from_proto(request: pb.ComposeModelRequest) -> MoreAccurate | NewTask | Patch:
    match request.WhichOneof("task"):
        case "more_accurate":
            sources = _sources(
                request.more_accurate.sources, "more_accurate.sources", (Kind.MODEL, Kind.COMPOSITION), 2
            )
            return MoreAccurate(sources)
        case "new_task":
            return _new_task_from_proto(request)
        case "patch":
            parse_name(request.patch.model, Kind.MODEL, field="patch.model")
            labels = label_texts(request.patch.labels)
            _check_different(labels, "patch.labels", "")
            return Patch(request.patch.model, labels, _sources(request.patch.sources, "patch.sources"))
        case _:
            raise InvalidField(
                "task: none is set", field="more_accurate", hint="set `more_accurate`, `new_task` or `patch`"
            )


def _new_task_from_proto(request: pb.ComposeModelRequest) -> NewTask:
    given = request.new_task.labels
    if len(given) < 2:
        raise InvalidField(
            f"new_task.labels: a classifier needs two labels or more, got {len(given)}",
            field="new_task.labels",
            hint="name at least two labels",
        )
    _check_different(label_texts(each.label for each in given), "new_task.labels", ".label")
    labels = []
    for place, each in enumerate(given):
        field = f"new_task.labels[{place}]"
        dataset = each.dataset or request.dataset
        parse_name(dataset, Kind.DATASET, field=f"{field}.dataset")
        sources = _sources(each.sources, f"{field}.sources")
        labels.append(
            ResolvedLabel(label_text(each.label), label_text(each.source_label or each.label), sources, dataset)
        )
    _check_different_images(labels)
    return NewTask(tuple(labels))


def _check_different_images(labels: Sequence[ResolvedLabel]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for place, each in enumerate(labels):
        other = seen.setdefault((each.dataset, each.source_label), each.label)
        if other != each.label:
            field = f"new_task.labels[{place}].source_label"
            raise InvalidField(
                f"{field}: {shortened(each.label)!r} and {shortened(other)!r} are the same images of {each.dataset}",
                field=field,
                hint="give every label images of its own",
            )


def _check_different(labels: Sequence[str], field: str, suffix: str) -> None:
    for place, label in enumerate(labels):
        path = f"{field}[{place}]{suffix}"
        if not label:
            raise InvalidField(f"{path}: it is empty", field=path, hint="name the label")
        if label in labels[:place]:
            raise InvalidField(f"{path}: {shortened(label)!r} is there twice", field=path, hint="name every label once")


def _sources(
    names: Sequence[str],
    field: str,
    collections: Sequence[str] = (Kind.MODEL, Kind.COMPOSITION, Kind.MODULE),
    least: int = 1,
) -> tuple[str, ...]:
    if not least <= len(names) <= MOST_SOURCES:
        raise InvalidField(
            f"{field}: {len(names)} are named",
            field=field,
            hint=f"name {least} to {MOST_SOURCES} {_either(collections)}",
        )
    for place, name in enumerate(names):
        path = f"{field}[{place}]"
        collection = subject_collection(name, field=path)
        parse_name(name, collection, field=path)
        if collection not in collections:
            raise InvalidField(
                f"{path}: {name} cannot be taken here", field=path, hint=f"name {_either(collections)} of all labels"
            )
        if name in names[:place]:
            raise InvalidField(f"{path}: {name} is there twice", field=path, hint="name every source once")
    return tuple(names)


def _either(collections: Sequence[str]) -> str:
    return f"{', '.join(collections[:-1])} or {collections[-1]}"
