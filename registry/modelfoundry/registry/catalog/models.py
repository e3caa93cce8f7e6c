"""Models: an architecture that can be rebuilt, its weights, and the meaning of its outputs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlmodel import col

from modelfoundry.errors import InvalidField, TestSplitSealed, UnknownArchitecture
from modelfoundry.names import DIGEST, near, parse_parent, shortened
from modelfoundry.registry.catalog.drafts import ModelDraft, TrainingDraft
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile, open_safetensors
from modelfoundry.registry.catalog.tensor_values import check_finite
from modelfoundry.registry.listing.fields import TextField
from modelfoundry.registry.listing.pages import Listing
from modelfoundry.registry.records.describing import (
    DescribedCollection,
    described,
    described_filters,
    described_order,
)
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.finding import find
from modelfoundry.registry.records.references import check_operation, check_reference
from modelfoundry.registry.records.shelf import Edge, Parent, Shelf, Use
from modelfoundry.registry.records.tables import (
    DatasetRow,
    ModelRow,
)
from modelfoundry.registry.records.wording import check_about, check_labels, check_line
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import ModelOrigin, Relation

FAMILIES: Final = ("zoo", "torchvision", "timm", "exported")
MAX_PARAMETERS: Final = 64
MAX_PARAMETER_TEXT: Final = 1000
MAX_EXPORTED_BYTES: Final = 512 * 1024
ORIGINS: Final = ("modelfoundry", "timm")
MAX_ORIGIN: Final = 500
MAX_CHANNELS: Final = 16
MAX_EXTENT: Final = 4096
_BUILDER_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")

MODELS: Final = Listing(
    row=ModelRow,
    filterable={
        **described_filters(ModelRow),
        "architecture.builder": TextField(col(ModelRow.builder)),
        "training_dataset": TextField(col(ModelRow.training_dataset)),
    },
    sortable=described_order(ModelRow),
    default_order="create_time desc",
)


class Models(DescribedCollection[ModelRow]):
    """All models. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, Kind.MODEL, MODELS)

    def create(self, call: CreateCall, draft: ModelDraft) -> ModelRow:
        """Registers a model whose weights were uploaded.

        Raises:
            InvalidField, UnknownArchitecture: a field is wrong.
            NotFound: the training data set is not there.
            BlobMissing, MalformedFile, NonFiniteWeights: the weights are not there or not usable.
            AlreadyExists, RequestIdReused: see `Collection`.
        """
        name, earlier = self._begin(call)
        if earlier is not None:
            return earlier
        project = parse_parent(call.parent)
        _check_draft(draft, project)
        edges = self._edges(draft)
        weights = open_safetensors(self._shelf.blobs, draft.weights, field="model.weights")
        check_finite(self._shelf.blobs, weights, field="model.weights")
        row = _row(name, project, draft, weights, self._shelf)
        dataset = draft.training_dataset
        return self._add(
            call,
            row,
            parents=[Parent(DatasetRow, dataset, "model.training_dataset")] if dataset else [],
            blobs=[Use(weights.digest, "model.weights.digest")],
            labels=draft.labels,
            edges=edges,
        )

    def delete(self, name: str, etag: str, *, cascade: bool = False) -> None:
        """Forgets a model; with `cascade` also everything that depends on it.

        Raises:
            NotFound: there is no such model.
            EtagMismatch: somebody else changed it.
            InUse: others depend on it, or aliases stand for it, and `cascade` is not set; they are named.
        """
        self._delete(name, etag, cascade=cascade)

    def _edges(self, draft: ModelDraft) -> list[Edge]:
        edges = []
        if draft.training_dataset:
            with self._shelf.database.read_session() as session:
                dataset = find(session, DatasetRow, draft.training_dataset, field="model.training_dataset")
            _check_trained_on(draft.training, dataset)
            edges.append(Edge(Relation.TRAINED_ON, dataset.name, dataset.digest))
        if draft.operation:
            edges.append(Edge(Relation.PRODUCED_BY, draft.operation))
        return edges


def _row(name: str, project: str, draft: ModelDraft, weights: SafetensorsFile, shelf: Shelf) -> ModelRow:
    return ModelRow(
        **described(name, project, draft.about, shelf.now()),
        builder=draft.builder,
        parameters=dict(draft.parameters),
        channels=draft.input.channels,
        height=draft.input.height,
        width=draft.input.width,
        mean=list(draft.input.mean),
        std=list(draft.input.std),
        labels=list(draft.labels),
        weights_digest=weights.digest,
        weights_bytes=weights.size,
        tensors=[(tensor.name, tensor.dtype, list(tensor.shape)) for tensor in weights.tensors],
        training_dataset=draft.training_dataset or None,
        operation=draft.operation,
        training=None if draft.training is None else dict(draft.training.content),
        origin=None if draft.origin is None else asdict(draft.origin),
    )


def _check_draft(draft: ModelDraft, project: str) -> None:
    check_about(draft.about, "model")
    check_labels(draft.labels, field="model.labels", spaced=bool(draft.operation))
    _check_builder(draft.builder, field="model.architecture.builder")
    if draft.builder.startswith("exported:"):
        _check_exported(draft.parameters, field="model.architecture.parameters")
    else:
        _check_parameters(draft.parameters, field="model.architecture.parameters")
    check_input(draft.input, field="model.input")
    if draft.training_dataset:
        check_reference(draft.training_dataset, Kind.DATASET, project, field="model.training_dataset")
    check_operation(draft.operation, project, field="model.operation")
    if draft.training is not None:
        _check_training(draft.training, len(draft.labels), field="model.training")
    if draft.origin is not None:
        _check_origin(draft.origin, field="model.origin")


def _check_training(training: TrainingDraft, label_count: int, *, field: str) -> None:
    if training.source_split == "test":
        raise TestSplitSealed(
            f"{field}.validation.source_split is test: nothing is ever chosen on test data",
            field=f"{field}.validation.source_split",
            hint="choose on a part of the training split",
        )
    counts = training.label_counts
    if counts and (len(counts) != label_count or min(counts) < 0):
        raise InvalidField(
            f"{field}.label_counts has {len(counts)} values, the least is {min(counts)}, for {label_count} labels",
            field=f"{field}.label_counts",
            hint="pass a number of samples, 0 or more, for every label",
        )


def _check_origin(origin: ModelOrigin, *, field: str) -> None:
    if origin.format not in ORIGINS:
        raise InvalidField(
            f"{field}.format: {shortened(origin.format)!r} is none of the formats",
            field=f"{field}.format",
            hint=f"pass {' or '.join(ORIGINS)}",
        )
    check_line(origin.resource, MAX_ORIGIN, field=f"{field}.resource")
    if origin.digest and not DIGEST.fullmatch(origin.digest):
        raise InvalidField(
            f"{field}.digest: {shortened(origin.digest)!r} is no digest",
            field=f"{field}.digest",
            hint="pass sha256: and 64 hexadecimal digits, or nothing",
        )


def _check_trained_on(training: TrainingDraft | None, dataset: DatasetRow) -> None:
    if training is not None and training.dataset_digest not in {"", dataset.digest}:
        raise InvalidField(
            f"model.training.dataset_digest is {shortened(training.dataset_digest)}, not the {dataset.digest} of "
            f"{dataset.name}",
            field="model.training.dataset_digest",
            hint="name the data set that was used",
        )


def _check_builder(builder: str, *, field: str) -> None:
    family, colon, name = builder.partition(":")
    if colon and family in FAMILIES and _BUILDER_NAME.fullmatch(name):
        return
    suggestions = near(family, FAMILIES) if colon and family not in FAMILIES else []
    raise UnknownArchitecture(
        f"{field}: {shortened(builder)!r} is not of the form family:name",
        field=field,
        hint=f"did you mean {suggestions[0]}:{shortened(name)}?" if suggestions else "pass for example zoo:resnet20",
        metadata={"near": ", ".join(suggestions)},
    )


def _check_parameters(parameters: Mapping[str, Any], *, field: str) -> None:
    if len(parameters) > MAX_PARAMETERS:
        raise InvalidField(f"{field} has {len(parameters)} entries", field=field, hint=f"use at most {MAX_PARAMETERS}")
    for key, value in parameters.items():
        path = f"{field}.{shortened(key)}"
        if not key.isidentifier() or len(key) > MAX_PARAMETER_TEXT:
            raise InvalidField(f"{path} is no keyword", field=field, hint="use names of the builder's arguments")
        if not isinstance(value, (str, bool, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidField(f"{path} has a value of another kind", field=path, hint="use numbers, strings, booleans")
        if isinstance(value, str):
            check_line(value, MAX_PARAMETER_TEXT, field=path)


def _check_exported(parameters: Mapping[str, Any], *, field: str) -> None:
    """What it means is for the services to say that build it: the evaluator's CheckModel."""
    size = len(json.dumps(parameters, allow_nan=False).encode())
    if size > MAX_EXPORTED_BYTES:
        raise InvalidField(f"{field} has {size} bytes", field=field, hint=f"use at most {MAX_EXPORTED_BYTES}")


def check_input(draft: InputSpec, *, field: str) -> None:
    """Checks size, channels, mean and standard deviation of images.

    Raises:
        InvalidField: one is out of range, or there are not as many values as channels.
    """
    limits = {"channels": MAX_CHANNELS, "height": MAX_EXTENT, "width": MAX_EXTENT}
    for part, limit in limits.items():
        value = getattr(draft, part)
        if not 1 <= value <= limit:
            raise InvalidField(f"{field}.{part} is {value}", field=f"{field}.{part}", hint=f"pass 1 to {limit}")
    _check_per_channel(draft.mean, draft.channels, field=f"{field}.mean")
    _check_per_channel(draft.std, draft.channels, field=f"{field}.std")
    if any(value <= 0 for value in draft.std):
        raise InvalidField(
            f"{field}.std has a value that is not above 0", field=f"{field}.std", hint="pass positive values"
        )


def _check_per_channel(values: Sequence[float], channels: int, *, field: str) -> None:
    if values and len(values) != channels:
        raise InvalidField(
            f"{field} has {len(values)} values for {channels} channels", field=field, hint="pass one value per channel"
        )
    if not all(math.isfinite(value) for value in values):
        raise InvalidField(f"{field} has NaN or infinity", field=field, hint="pass finite values")
