"""Stored resources as their messages.

Straight from rows, and not by way of values: records were kept as JSON of the messages that came, so that a reader gets
back what was registered, with what was left unset, and so that a statement is signed over just that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Error, MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from modelfoundry.api.registry.v1 import (
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
)
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2, forms_pb2, problem_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.registry.records.blob_reader import MEDIA_TYPE
from modelfoundry.registry.records.stored_messages import packed_module, stored_message
from modelfoundry.registry.records.tables import (
    CompositionRow,
    DatasetRow,
    DescribedRow,
    EvaluationRow,
    ModelRow,
    ModuleRow,
)
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem
from modelfoundry.values.resources import BlobRef
from modelfoundry.wire.resources import blob_ref_to_proto
from modelfoundry.wire.well_known import timestamp_to_proto

Described = model_pb2.Model | dataset_pb2.Dataset | module_pb2.Module | composition_pb2.Composition


def model_to_proto(row: ModelRow) -> model_pb2.Model:
    """A stored model."""
    architecture = architecture_pb2.Architecture(builder=row.builder)
    if row.parameters:
        architecture.parameters.update(row.parameters)
    message = model_pb2.Model(
        **described_fields(row),
        architecture=architecture,
        input=architecture_pb2.InputSpec(
            channels=row.channels, height=row.height, width=row.width, mean=row.mean, std=row.std
        ),
        labels=row.labels,
        weights=blob_ref_to_proto(BlobRef(row.weights_digest, row.weights_bytes, MEDIA_TYPE)),
        tensors=[blob_pb2.TensorSpec(name=name, dtype=dtype, shape=shape) for name, dtype, shape in row.tensors],
        training_dataset=row.training_dataset or "",
        operation=row.operation,
    )
    if row.training is not None:
        message.training.CopyFrom(stored_message(model_pb2.TrainingRecord, row.training))
    if row.origin is not None:
        message.origin.CopyFrom(stored_message(model_pb2.ModelOrigin, row.origin))
    return message


def dataset_to_proto(row: DatasetRow) -> dataset_pb2.Dataset:
    """A stored data set."""
    return dataset_pb2.Dataset(
        **described_fields(row),
        labels=row.labels,
        splits=[
            dataset_pb2.DatasetSplit(
                split=split["split"],
                content=blob_ref_to_proto(BlobRef(split["digest"], split["size_bytes"], MEDIA_TYPE)),
                sample_count=split["sample_count"],
                label_counts=split["label_counts"],
            )
            for split in row.splits
        ],
        channels=row.channels,
        height=row.height,
        width=row.width,
        digest=row.digest,
    )


def module_to_proto(row: ModuleRow) -> module_pb2.Module:
    """A stored module."""
    message = module_message_of(row)
    message.MergeFromString(packed_module(row.record, row.retention))
    return message


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


def evaluation_to_proto(row: EvaluationRow) -> evaluation_pb2.Evaluation:
    """A stored measurement."""
    message = stored_message(evaluation_pb2.Evaluation, row.content)
    message.MergeFrom(
        evaluation_pb2.Evaluation(
            name=row.name,
            subject=row.subject,
            subject_digest=row.subject_digest,
            module=row.module or "",
            dataset=row.dataset,
            dataset_digest=row.dataset_digest,
            split=row.split,
            operation=row.operation,
            create_time=timestamp_to_proto(row.create_time),
        )
    )
    return message


def module_message_of(row: ModuleRow) -> module_pb2.Module:
    """All but record and retention."""
    message = module_pb2.Module(
        **described_fields(row),
        base_model=row.base_model,
        base_digest=row.base_digest,
        problem=_stored_problem(row),
        outputs=row.labels if _has_no_rest(row) else [*row.labels, problem_of(row).outputs[-1]],
        artifact=blob_ref_to_proto(BlobRef(row.artifact_digest, row.artifact_bytes, MEDIA_TYPE)),
        dataset=row.dataset,
    )
    if row.forms is not None:
        message.forms.CopyFrom(stored_message(forms_pb2.FormComparison, row.forms))
    return message


def _stored_problem(row: ModuleRow) -> problem_pb2.TargetProblem:
    """The problem in the letters that were stored, and signed: older rows may have labels that are not in NFC."""
    if row.binary:
        return problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label=row.labels[0]))
    if row.open_set:
        return problem_pb2.TargetProblem(open_set=problem_pb2.OpenSetProblem(labels=row.labels))
    return problem_pb2.TargetProblem(multi_class=problem_pb2.MultiClassProblem(labels=row.labels))


def _has_no_rest(row: ModuleRow) -> bool:
    return not row.binary and not row.open_set


def problem_of(row: ModuleRow) -> Problem:
    """The problem that a stored module solves."""
    if row.binary:
        return BinaryProblem(row.labels[0])
    labels = tuple(row.labels)
    return OpenSetProblem(labels) if row.open_set else MultiClassProblem(labels)


def described_fields(row: DescribedRow) -> dict[str, Any]:
    """The fields that all described resources have."""
    return {
        "name": row.name,
        "uid": row.uid,
        "display_name": row.display_name,
        "description": row.description,
        "license": row.license,
        "tags": row.tags,
        "intended_use": row.intended_use,
        "create_time": timestamp_to_proto(row.create_time),
        "update_time": timestamp_to_proto(row.update_time),
        "etag": row.etag,
    }


def message_to_json(message: Message, *, field: str) -> Mapping[str, Any]:
    """The JSON of a message.

    Raises:
        InvalidField: it has NaN or infinity where JSON has none.
    """
    for path in _non_finite(message, field):
        raise InvalidField(f"{path} is NaN or infinite", field=path, hint="pass finite numbers")
    try:
        return MessageToDict(message, preserving_proto_field_name=True)
    except (Error, ValueError):
        # A Struct may carry what JSON cannot.
        raise InvalidField(f"{field} has NaN or infinity", field=field, hint="pass finite numbers") from None


def _non_finite(message: Message, path: str) -> Iterator[str]:
    """Paths of the numbers of a message that are NaN or infinite: protobuf's JSON would make strings of them."""
    for descriptor, value in message.ListFields():
        own = f"{path}.{descriptor.name}"
        if descriptor.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
            for number in value if isinstance(value, Sequence) else (value,):
                if not math.isfinite(number):
                    yield own
        elif descriptor.message_type is not None:
            yield from _in_messages(value, own)


def _in_messages(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Struct):
        return  # what has no form in JSON is refused while JSON is made of it
    if isinstance(value, Message):
        yield from _non_finite(value, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Message):
                yield from _non_finite(item, f"{path}.{key}")
            elif isinstance(item, float) and not math.isfinite(item):
                yield f"{path}.{key}"
    elif isinstance(value, Sequence):
        for place, item in enumerate(value):
            yield from _non_finite(item, f"{path}[{place}]")
