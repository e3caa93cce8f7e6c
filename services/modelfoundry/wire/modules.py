"""Modules and evaluations. Fields that the server fills in are read, never sent."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import evaluation_pb2, module_pb2
from modelfoundry.errors import Internal
from modelfoundry.values.resources import DecompositionRecord, EvaluatedPart, Evaluation, Module, Scoring
from modelfoundry.wire.architectures import struct_from_proto
from modelfoundry.wire.computing import (
    environment_from_proto,
    environment_to_proto,
    problem_from_proto,
    problem_to_proto,
    subset_from_proto,
    subset_to_proto,
    validation_from_proto,
    validation_to_proto,
)
from modelfoundry.wire.enums import enum_from_proto, enum_to_proto
from modelfoundry.wire.figures import (
    classification_from_proto,
    classification_to_proto,
    cost_from_proto,
    cost_to_proto,
    forms_from_proto,
    modularity_from_proto,
    modularity_to_proto,
    retention_from_proto,
    retention_to_proto,
)
from modelfoundry.wire.resources import blob_ref_from_proto, blob_ref_to_proto
from modelfoundry.wire.times import time_from_proto


def record_to_proto(record: DecompositionRecord) -> module_pb2.DecompositionRecord:
    """Value to message."""
    message = module_pb2.DecompositionRecord(
        algorithm=record.algorithm,
        seed=record.seed,
        validation=validation_to_proto(record.validation),
        dataset_digest=record.dataset_digest,
        operation=record.operation,
        environment=environment_to_proto(record.environment),
        validation_accuracy=record.validation_accuracy,
        validation_accuracy_base=record.validation_accuracy_base,
        validation_samples=record.validation_samples,
        chosen_epoch=record.chosen_epoch,
        epochs_run=record.epochs_run,
        fell_back=record.fell_back,
        cache_key=record.cache_key,
        training_samples=record.training_samples,
        empty_layers=record.empty_layers,
        subset=None if record.subset is None else subset_to_proto(record.subset),
    )
    message.settings.update(dict(record.settings))
    return message


def record_from_proto(message: module_pb2.DecompositionRecord) -> DecompositionRecord:
    """Message to value. Whole numbers in `settings` come back as int."""
    return DecompositionRecord(
        algorithm=message.algorithm,
        settings=struct_from_proto(message.settings),
        seed=message.seed,
        validation=validation_from_proto(message.validation),
        dataset_digest=message.dataset_digest,
        operation=message.operation,
        environment=environment_from_proto(message.environment),
        validation_accuracy=message.validation_accuracy,
        validation_accuracy_base=message.validation_accuracy_base,
        validation_samples=message.validation_samples,
        chosen_epoch=message.chosen_epoch,
        epochs_run=message.epochs_run,
        fell_back=message.fell_back,
        cache_key=message.cache_key,
        training_samples=message.training_samples,
        empty_layers=tuple(message.empty_layers),
        subset=subset_from_proto(message.subset) if message.HasField("subset") else None,
    )


def module_to_proto(module: Module) -> module_pb2.Module:
    """Value to message."""
    return module_pb2.Module(
        display_name=module.display_name,
        description=module.description,
        license=module.license,
        tags=dict(module.tags),
        intended_use=module.intended_use,
        base_model=module.base_model,
        problem=problem_to_proto(module.problem),
        artifact=blob_ref_to_proto(module.artifact),
        dataset=module.dataset,
        record=record_to_proto(module.record),
        retention=None if module.retention is None else retention_to_proto(module.retention),
    )


def module_from_proto(message: module_pb2.Module) -> Module:
    """Message to value.

    Raises:
        Internal: its problem is of a kind that this SDK does not know.
    """
    problem = problem_from_proto(message.problem)
    if problem is None:
        raise Internal(
            f"{message.name} solves a problem of an unknown kind",
            field="problem",
            hint="the registry is newer than this client: `pip install --upgrade modelfoundry`",
        )
    return Module(
        name=message.name,
        uid=message.uid,
        display_name=message.display_name,
        description=message.description,
        license=message.license,
        tags=dict(message.tags),
        intended_use=message.intended_use,
        base_model=message.base_model,
        base_digest=message.base_digest,
        problem=problem,
        outputs=tuple(message.outputs),
        artifact=blob_ref_from_proto(message.artifact),
        dataset=message.dataset,
        record=record_from_proto(message.record),
        retention=retention_from_proto(message.retention) if message.HasField("retention") else None,
        forms=forms_from_proto(message.forms) if message.HasField("forms") else None,
        create_time=time_from_proto(message, "create_time"),
        update_time=time_from_proto(message, "update_time"),
        etag=message.etag,
    )


def evaluation_to_proto(evaluation: Evaluation) -> evaluation_pb2.Evaluation:
    """Value to message."""
    return evaluation_pb2.Evaluation(
        subject=evaluation.subject,
        subject_digest=evaluation.subject_digest,
        module=evaluation.module,
        problem=None if evaluation.problem is None else problem_to_proto(evaluation.problem),
        scoring=enum_to_proto(evaluation_pb2.Scoring, "SCORING", evaluation.scoring),
        dataset=evaluation.dataset,
        dataset_digest=evaluation.dataset_digest,
        split=evaluation.split,
        sample_count=evaluation.sample_count,
        classification=(
            None if evaluation.classification is None else classification_to_proto(evaluation.classification)
        ),
        retention=None if evaluation.retention is None else retention_to_proto(evaluation.retention),
        cost=None if evaluation.cost is None else cost_to_proto(evaluation.cost),
        modularity=None if evaluation.modularity is None else modularity_to_proto(evaluation.modularity),
        parts=[_part_to_proto(part) for part in evaluation.parts],
        operation=evaluation.operation,
        environment=environment_to_proto(evaluation.environment),
    )


def evaluation_from_proto(message: evaluation_pb2.Evaluation) -> Evaluation:
    """Message to value."""
    scoring = enum_from_proto(evaluation_pb2.Scoring, "SCORING", message.scoring, Scoring)
    return Evaluation(
        name=message.name,
        subject=message.subject,
        subject_digest=message.subject_digest,
        module=message.module,
        problem=problem_from_proto(message.problem),
        scoring=scoring or Scoring.ALL_OUTPUTS,
        dataset=message.dataset,
        dataset_digest=message.dataset_digest,
        split=message.split,
        sample_count=message.sample_count,
        classification=(
            classification_from_proto(message.classification) if message.HasField("classification") else None
        ),
        retention=retention_from_proto(message.retention) if message.HasField("retention") else None,
        cost=cost_from_proto(message.cost) if message.HasField("cost") else None,
        modularity=modularity_from_proto(message.modularity) if message.HasField("modularity") else None,
        parts=tuple(_part_from_proto(part) for part in message.parts),
        operation=message.operation,
        environment=environment_from_proto(message.environment),
        create_time=time_from_proto(message, "create_time"),
    )


def _part_to_proto(part: EvaluatedPart) -> evaluation_pb2.EvaluatedPart:
    return evaluation_pb2.EvaluatedPart(
        dataset=part.dataset,
        dataset_digest=part.dataset_digest,
        labels=part.labels,
        sample_count=part.sample_count,
    )


def _part_from_proto(message: evaluation_pb2.EvaluatedPart) -> EvaluatedPart:
    return EvaluatedPart(
        dataset=message.dataset,
        dataset_digest=message.dataset_digest,
        labels=tuple(message.labels),
        sample_count=message.sample_count,
    )
