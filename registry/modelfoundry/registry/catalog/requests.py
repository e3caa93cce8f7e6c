"""What requests ask to be stored: what the catalog looks at as values, records also as JSON, just as they came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelfoundry.api.registry.v1 import (
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
)
from modelfoundry.api.types.v1 import forms_pb2
from modelfoundry.names import label_texts
from modelfoundry.registry.catalog.drafts import (
    CompositionDraft,
    CompositionRecordDraft,
    DatasetDraft,
    EvaluationDraft,
    FormsDraft,
    ModelDraft,
    ModuleDraft,
    RecordDraft,
    TrainingDraft,
)
from modelfoundry.registry.records.drafts import About
from modelfoundry.registry.records.messages import Described, message_to_json
from modelfoundry.wire.architectures import input_spec_from_proto
from modelfoundry.wire.compositions import TASK, member_from_proto
from modelfoundry.wire.computing import problem_from_proto
from modelfoundry.wire.modules import evaluated_part_from_proto
from modelfoundry.wire.resources import dataset_split_from_proto, model_origin_from_proto

# What an EvaluationRow has columns for; the rest of the message is kept as it came.
_EVALUATION_COLUMNS = (
    "name",
    "subject",
    "subject_digest",
    "module",
    "dataset",
    "dataset_digest",
    "split",
    "operation",
    "create_time",
)


def about_from_proto(message: Described) -> About:
    """What people write."""
    return About(message.display_name, message.description, message.license, dict(message.tags), message.intended_use)


def model_from_proto(message: model_pb2.Model) -> ModelDraft:
    """A model to be registered; output-only fields are ignored."""
    return ModelDraft(
        about=about_from_proto(message),
        builder=message.architecture.builder,
        parameters=message_to_json(message.architecture.parameters, field="model.architecture.parameters"),
        input=input_spec_from_proto(message.input),
        labels=label_texts(message.labels),
        weights=message.weights.digest,
        training_dataset=message.training_dataset,
        operation=message.operation,
        training=_training_from_proto(message.training) if message.HasField("training") else None,
        origin=model_origin_from_proto(message.origin) if message.HasField("origin") else None,
    )


def _training_from_proto(record: model_pb2.TrainingRecord) -> TrainingDraft:
    return TrainingDraft(
        content=message_to_json(record, field="model.training"),
        dataset_digest=record.dataset_digest,
        source_split=record.validation.source_split,
        label_counts=tuple(record.label_counts),
    )


def dataset_from_proto(message: dataset_pb2.Dataset) -> DatasetDraft:
    """A data set to be registered; output-only fields are ignored."""
    return DatasetDraft(
        about=about_from_proto(message),
        labels=label_texts(message.labels),
        splits=tuple(map(dataset_split_from_proto, message.splits)),
    )


def module_from_proto(message: module_pb2.Module) -> ModuleDraft:
    """A module to be registered; output-only fields are ignored."""
    record = message.record
    retention = message.retention if message.HasField("retention") else None
    return ModuleDraft(
        about=about_from_proto(message),
        base_model=message.base_model,
        problem=problem_from_proto(message.problem),
        artifact=message.artifact.digest,
        dataset=message.dataset,
        record=RecordDraft(
            algorithm=record.algorithm,
            content=message_to_json(record, field="module.record"),
            dataset_digest=record.dataset_digest,
            source_split=record.validation.source_split,
            calibration_split=record.calibration_split,
            operation=record.operation,
            cache_key=record.cache_key,
        ),
        retention=None if retention is None else message_to_json(retention, field="module.retention"),
        weight_retention=None if retention is None else retention.weight_retention,
    )


def forms_from_proto(message: forms_pb2.FormComparison) -> FormsDraft:
    """A comparison of a module's forms to be kept."""
    forms = {name: getattr(message, name) for name in ("original", "masked", "compacted") if message.HasField(name)}
    return FormsDraft(
        content=message_to_json(message, field="forms"),
        figures={
            f"{name}.{figure}": getattr(form, figure)
            for name, form in forms.items()
            for figure in ("stored_bytes", "parameters", "macs_dense")
        },
        measured=frozenset(forms),
        max_difference=message.max_difference,
        operation=message.operation,
    )


def evaluation_from_proto(message: evaluation_pb2.Evaluation) -> EvaluationDraft:
    """A measurement to be stored; output-only fields are ignored."""
    content: Any = evaluation_pb2.Evaluation()
    content.CopyFrom(message)
    for column in _EVALUATION_COLUMNS:
        content.ClearField(column)
    known = evaluation_pb2.Scoring.values()
    return EvaluationDraft(
        subject=message.subject,
        subject_digest=message.subject_digest,
        scored=message.scoring in known and message.scoring != evaluation_pb2.SCORING_UNSPECIFIED,
        dataset=message.dataset,
        dataset_digest=message.dataset_digest,
        split=message.split,
        content=message_to_json(content, field="evaluation"),
        module=message.module,
        problem=problem_from_proto(message.problem),
        sample_count=message.sample_count,
        accuracy=message.classification.accuracy if message.HasField("classification") else None,
        operation=message.operation,
        parts=tuple(map(evaluated_part_from_proto, message.parts)),
    )


def composition_from_proto(message: composition_pb2.Composition) -> CompositionDraft:
    """A composition to be registered; output-only fields are ignored."""
    record = message.record
    return CompositionDraft(
        about=about_from_proto(message),
        task=TASK.from_proto(message.task),
        members=tuple(map(member_from_proto, message.members)),
        input=input_spec_from_proto(message.input),
        base_model=message.base_model,
        datasets=tuple(message.datasets),
        record=CompositionRecordDraft(
            strategy=record.strategy,
            content=message_to_json(record, field="composition.record"),
            score=record.score,
            source_split=record.validation.source_split,
            dataset_digests=tuple(record.dataset_digests),
            operation=record.operation,
            cache_key=record.cache_key,
            shares=dict(_shares(record)),
        ),
    )


def _shares(record: composition_pb2.CompositionRecord) -> Iterator[tuple[str, float]]:
    """Every accuracy and score of a record, by its path."""
    yield "validation_accuracy", record.validation_accuracy
    for index, report in enumerate(record.strategies):
        yield f"strategies[{index}].validation_accuracy", report.validation_accuracy
    for index, baseline in enumerate(record.baselines):
        yield f"baselines[{index}].validation_accuracy", baseline.validation_accuracy
    for index, change in enumerate(record.label_changes):
        yield f"label_changes[{index}].before_f1", change.before_f1
        yield f"label_changes[{index}].after_f1", change.after_f1
