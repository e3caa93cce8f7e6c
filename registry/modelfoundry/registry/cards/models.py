"""What is known of models."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict

from modelfoundry.api.registry.v1 import model_pb2
from modelfoundry.registry.cards.facts import (
    MADE,
    PROVENANCE,
    SHAPE,
    chosen_facts,
    environment_facts,
    few_validation_samples,
    input_facts,
    partial_data,
    settings_facts,
    some,
)
from modelfoundry.registry.cards.quantities import byte_count, short
from modelfoundry.registry.cards.sheet import Account
from modelfoundry.values.cards import CardFact, CardLimit, LimitKind


def model_account(model: model_pb2.Model) -> Account:
    """What the services know of a model."""
    trained = f", trained on {short(model.training_dataset)}" if model.training_dataset else ""
    return Account(
        summary=f"A classifier of {len(model.labels):,} labels, {model.architecture.builder}{trained}.",
        labels=model.labels,
        facts=(*_shape(model), *_made(model), *_provenance(model)),
        limits=tuple(_limits(model)),
        algorithm=f"training, recipe {model.training.recipe}" if model.HasField("training") else "",
        datasets=(model.training_dataset,) if model.training_dataset else (),
    )


def _shape(model: model_pb2.Model) -> Iterator[CardFact]:
    yield CardFact(SHAPE, "Architecture", model.architecture.builder)
    if not model.architecture.builder.startswith("exported:"):
        for key, value in sorted(MessageToDict(model.architecture.parameters).items()):
            yield CardFact(SHAPE, f"Parameter {key}", f"{value:g}" if isinstance(value, float) else str(value))
    yield from input_facts(model.input)
    yield CardFact(SHAPE, "Weights", f"{byte_count(model.weights.size_bytes)} in {len(model.tensors)} tensors")


def _made(model: model_pb2.Model) -> Iterator[CardFact]:
    if model.training_dataset:
        yield CardFact(MADE, "Data set", short(model.training_dataset))
    if not model.HasField("training"):
        return
    record = model.training
    yield CardFact(MADE, "Recipe", record.recipe)
    if record.label_counts:
        least, most = min(record.label_counts), max(record.label_counts)
        counts = f"{sum(record.label_counts):,}, {least:,} to {most:,} of a label"
        yield CardFact(MADE, "Training samples", counts)
    yield from chosen_facts(record.validation, record.validation_accuracy, record.validation_samples)
    yield CardFact(MADE, "Epoch", f"{record.chosen_epoch}, counted from 0, of {record.epochs_run}")
    yield CardFact(MADE, "Seed", str(record.seed))
    yield from settings_facts(record.settings)


def _provenance(model: model_pb2.Model) -> Iterator[CardFact]:
    yield CardFact(PROVENANCE, "Name", model.name)
    yield CardFact(PROVENANCE, "Weights", model.weights.digest)
    if model.HasField("origin"):
        origin = model.origin
        whence = f", exported from {origin.resource}, {origin.digest}" if origin.resource else ""
        yield CardFact(PROVENANCE, "Imported", f"from a folder of {origin.format}{whence}")
    if model.operation:
        yield CardFact(PROVENANCE, "Job", short(model.operation))
    if model.HasField("training"):
        yield CardFact(PROVENANCE, "Data set", f"{short(model.training_dataset)}, {model.training.dataset_digest}")
        yield from environment_facts(model.training.environment)


def _limits(model: model_pb2.Model) -> Iterator[CardLimit]:
    if not model.training_dataset:
        yield CardLimit(
            LimitKind.ORIGIN_UNKNOWN,
            "It is not known what it was trained on: images that it is measured on may have been among them.",
        )
    if model.HasField("training"):
        record = model.training
        yield from few_validation_samples(record.validation_samples)
        if record.HasField("subset"):
            yield partial_data("It was trained")
        untrained = [label for label, count in zip(model.labels, record.label_counts, strict=False) if not count]
        if untrained:
            yield CardLimit(LimitKind.PARTIAL_DATA, f"It saw no image of {some(untrained)}.")
