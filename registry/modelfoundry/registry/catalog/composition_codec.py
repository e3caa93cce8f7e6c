"""Compositions, to and from their messages."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.json_format import ParseDict

from modelfoundry.api.registry.v1 import composition_pb2
from modelfoundry.api.types.v1 import architecture_pb2
from modelfoundry.registry.catalog.codec import about_from_proto, described_fields, message_to_json
from modelfoundry.registry.catalog.drafts import CompositionDraft, CompositionRecordDraft, InputDraft, MemberDraft
from modelfoundry.registry.catalog.tables import CompositionRow, CompositionTask


def composition_from_proto(message: composition_pb2.Composition) -> CompositionDraft:
    """A composition to be registered; output-only fields are ignored."""
    record, image = message.record, message.input
    return CompositionDraft(
        about=about_from_proto(message),
        task=_task_from_proto(message.task),
        members=[
            MemberDraft(
                label=member.label,
                source=member.source,
                source_label=member.source_label,
                source_digest=member.source_digest,
                scale=member.scale,
                bias=member.bias,
                validation_score=member.validation_score,
            )
            for member in message.members
        ],
        input=InputDraft(image.channels, image.height, image.width, tuple(image.mean), tuple(image.std)),
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


def composition_to_proto(row: CompositionRow) -> composition_pb2.Composition:
    """A stored composition."""
    message = composition_pb2.Composition(
        **described_fields(row),
        task=composition_pb2.Composition.Task.Value(f"TASK_{row.task}"),
        labels=row.labels,
        members=[composition_pb2.CompositionMember(**member) for member in row.members],
        input=architecture_pb2.InputSpec(
            channels=row.channels, height=row.height, width=row.width, mean=row.mean, std=row.std
        ),
        base_model=row.base_model or "",
        datasets=row.datasets,
        digest=row.digest,
    )
    ParseDict(row.record, message.record, ignore_unknown_fields=True)
    return message


def _task_from_proto(number: composition_pb2.Composition.Task.ValueType) -> CompositionTask | None:
    """The task, or None when none that is known is set."""
    try:
        return CompositionTask[composition_pb2.Composition.Task.Name(number).removeprefix("TASK_")]
    except (KeyError, ValueError):
        return None


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
