"""Compositions. Fields that the server fills in are read, never sent."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import composition_pb2
from modelfoundry.errors import Internal
from modelfoundry.values.compositions import (
    Baseline,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    LabelChange,
    StrategyReport,
)
from modelfoundry.wire.architectures import input_spec_from_proto, input_spec_to_proto, struct_from_proto
from modelfoundry.wire.computing import (
    environment_from_proto,
    environment_to_proto,
    validation_from_proto,
    validation_to_proto,
)
from modelfoundry.wire.enums import enum_from_proto, enum_to_proto
from modelfoundry.wire.times import time_from_proto


def member_to_proto(member: CompositionMember) -> composition_pb2.CompositionMember:
    """Value to message."""
    return composition_pb2.CompositionMember(
        label=member.label,
        source=member.source,
        source_label=member.source_label,
        source_digest=member.source_digest,
        scale=member.scale,
        bias=member.bias,
        validation_score=member.validation_score,
    )


def member_from_proto(message: composition_pb2.CompositionMember) -> CompositionMember:
    """Message to value."""
    return CompositionMember(
        label=message.label,
        source=message.source,
        source_label=message.source_label,
        source_digest=message.source_digest,
        scale=message.scale,
        bias=message.bias,
        validation_score=message.validation_score,
    )


def composition_record_to_proto(record: CompositionRecord) -> composition_pb2.CompositionRecord:
    """Value to message."""
    message = composition_pb2.CompositionRecord(
        strategy=record.strategy,
        score=record.score,
        calibrated=record.calibrated,
        validation=validation_to_proto(record.validation),
        seed=record.seed,
        validation_samples=record.validation_samples,
        validation_accuracy=record.validation_accuracy,
        strategies=[
            composition_pb2.StrategyReport(
                strategy=one.strategy, validation_accuracy=one.validation_accuracy, sources=one.sources
            )
            for one in record.strategies
        ],
        baselines=[
            composition_pb2.Baseline(
                name=one.name,
                validation_accuracy=one.validation_accuracy,
                parameters=one.parameters,
                macs=one.macs,
            )
            for one in record.baselines
        ],
        parameters=record.parameters,
        macs=record.macs,
        label_changes=[
            composition_pb2.LabelChange(label=one.label, before_f1=one.before_f1, after_f1=one.after_f1)
            for one in record.label_changes
        ],
        operation=record.operation,
        environment=environment_to_proto(record.environment),
        dataset_digests=record.dataset_digests,
        cache_key=record.cache_key,
    )
    message.settings.update(dict(record.settings))
    return message


def composition_record_from_proto(message: composition_pb2.CompositionRecord) -> CompositionRecord:
    """Message to value. Whole numbers in `settings` come back as int."""
    return CompositionRecord(
        strategy=message.strategy,
        score=message.score,
        settings=struct_from_proto(message.settings),
        calibrated=message.calibrated,
        validation=validation_from_proto(message.validation),
        seed=message.seed,
        validation_samples=message.validation_samples,
        validation_accuracy=message.validation_accuracy,
        strategies=tuple(
            StrategyReport(
                strategy=one.strategy, validation_accuracy=one.validation_accuracy, sources=tuple(one.sources)
            )
            for one in message.strategies
        ),
        baselines=tuple(
            Baseline(
                name=one.name, validation_accuracy=one.validation_accuracy, parameters=one.parameters, macs=one.macs
            )
            for one in message.baselines
        ),
        parameters=message.parameters,
        macs=message.macs,
        label_changes=tuple(LabelChange(one.label, one.before_f1, one.after_f1) for one in message.label_changes),
        operation=message.operation,
        environment=environment_from_proto(message.environment),
        dataset_digests=tuple(message.dataset_digests),
        cache_key=message.cache_key,
    )


def composition_to_proto(composition: Composition) -> composition_pb2.Composition:
    """Value to message."""
    return composition_pb2.Composition(
        display_name=composition.display_name,
        description=composition.description,
        license=composition.license,
        tags=dict(composition.tags),
        intended_use=composition.intended_use,
        task=enum_to_proto(composition_pb2.Composition.Task, "TASK", composition.task),
        members=[member_to_proto(member) for member in composition.members],
        input=input_spec_to_proto(composition.input),
        base_model=composition.base_model,
        datasets=composition.datasets,
        record=composition_record_to_proto(composition.record),
    )


def composition_from_proto(message: composition_pb2.Composition) -> Composition:
    """Message to value.

    Raises:
        Internal: its task is of a kind that this SDK does not know.
    """
    task = enum_from_proto(composition_pb2.Composition.Task, "TASK", message.task, CompositionTask)
    if task is None:
        raise Internal(
            f"{message.name} was made for a task of an unknown kind",
            field="task",
            hint="the registry is newer than this client: `pip install --upgrade modelfoundry`",
        )
    return Composition(
        name=message.name,
        uid=message.uid,
        display_name=message.display_name,
        description=message.description,
        license=message.license,
        tags=dict(message.tags),
        intended_use=message.intended_use,
        task=task,
        labels=tuple(message.labels),
        members=tuple(member_from_proto(member) for member in message.members),
        input=input_spec_from_proto(message.input),
        base_model=message.base_model,
        datasets=tuple(message.datasets),
        record=composition_record_from_proto(message.record),
        digest=message.digest,
        create_time=time_from_proto(message, "create_time"),
        update_time=time_from_proto(message, "update_time"),
        etag=message.etag,
    )
