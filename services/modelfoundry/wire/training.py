"""Records of trainings."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import model_pb2
from modelfoundry.values.resources import TrainingRecord
from modelfoundry.wire.architectures import struct_from_proto
from modelfoundry.wire.computing import (
    environment_from_proto,
    environment_to_proto,
    subset_from_proto,
    subset_to_proto,
    validation_from_proto,
    validation_to_proto,
)


def training_record_to_proto(record: TrainingRecord) -> model_pb2.TrainingRecord:
    """Value to message."""
    message = model_pb2.TrainingRecord(
        recipe=record.recipe,
        seed=record.seed,
        validation=validation_to_proto(record.validation),
        subset=None if record.subset is None else subset_to_proto(record.subset),
        dataset_digest=record.dataset_digest,
        label_counts=record.label_counts,
        validation_accuracy=record.validation_accuracy,
        validation_samples=record.validation_samples,
        chosen_epoch=record.chosen_epoch,
        epochs_run=record.epochs_run,
        environment=environment_to_proto(record.environment),
    )
    message.settings.update(dict(record.settings))
    return message


def training_record_from_proto(message: model_pb2.TrainingRecord) -> TrainingRecord:
    """Message to value. Whole numbers in `settings` come back as int."""
    return TrainingRecord(
        recipe=message.recipe,
        settings=struct_from_proto(message.settings),
        seed=message.seed,
        validation=validation_from_proto(message.validation),
        subset=subset_from_proto(message.subset) if message.HasField("subset") else None,
        dataset_digest=message.dataset_digest,
        label_counts=tuple(message.label_counts),
        validation_accuracy=message.validation_accuracy,
        validation_samples=message.validation_samples,
        chosen_epoch=message.chosen_epoch,
        epochs_run=message.epochs_run,
        environment=environment_from_proto(message.environment),
    )
