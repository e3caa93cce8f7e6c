"""Resources of the catalog, to and from their messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from modelfoundry.api.registry.v1 import (
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
    provenance_pb2,
)
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2, forms_pb2, problem_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.registry.catalog.drafts import (
    About,
    DatasetDraft,
    EvaluatedPartDraft,
    EvaluationDraft,
    FormsDraft,
    ModelDraft,
    ModuleDraft,
    OriginDraft,
    RecordDraft,
    SplitDraft,
    TrainingDraft,
)
from modelfoundry.registry.catalog.modules import ListedModule, problem_of
from modelfoundry.registry.catalog.safetensors_file import MEDIA_TYPE
from modelfoundry.registry.catalog.stored_messages import packed_module, stored_message
from modelfoundry.registry.catalog.tables import (
    DatasetRow,
    DescribedRow,
    EvaluationRow,
    ModelRow,
    ModuleRow,
    ProvenanceRow,
)
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

Described = model_pb2.Model | dataset_pb2.Dataset | module_pb2.Module | composition_pb2.Composition
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
        channels=message.input.channels,
        height=message.input.height,
        width=message.input.width,
        mean=tuple(message.input.mean),
        std=tuple(message.input.std),
        labels=tuple(message.labels),
        weights=message.weights.digest,
        training_dataset=message.training_dataset,
        operation=message.operation,
        training=_training_from_proto(message.training) if message.HasField("training") else None,
        origin=_origin_from_proto(message.origin) if message.HasField("origin") else None,
    )


def _training_from_proto(record: model_pb2.TrainingRecord) -> TrainingDraft:
    return TrainingDraft(
        content=message_to_json(record, field="model.training"),
        dataset_digest=record.dataset_digest,
        source_split=record.validation.source_split,
        label_counts=tuple(record.label_counts),
    )


def _origin_from_proto(origin: model_pb2.ModelOrigin) -> OriginDraft:
    return OriginDraft(origin.format, origin.resource, origin.digest)


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
        weights=_blob(row.weights_digest, row.weights_bytes),
        tensors=[blob_pb2.TensorSpec(name=name, dtype=dtype, shape=shape) for name, dtype, shape in row.tensors],
        training_dataset=row.training_dataset or "",
        operation=row.operation,
    )
    if row.training is not None:
        message.training.CopyFrom(stored_message(model_pb2.TrainingRecord, row.training))
    if row.origin is not None:
        message.origin.CopyFrom(stored_message(model_pb2.ModelOrigin, row.origin))
    return message


def dataset_from_proto(message: dataset_pb2.Dataset) -> DatasetDraft:
    """A data set to be registered; output-only fields are ignored."""
    return DatasetDraft(
        about=about_from_proto(message),
        labels=tuple(message.labels),
        splits=tuple(SplitDraft(split.split, split.content.digest) for split in message.splits),
    )


def dataset_to_proto(row: DatasetRow) -> dataset_pb2.Dataset:
    """A stored data set."""
    return dataset_pb2.Dataset(
        **described_fields(row),
        labels=row.labels,
        splits=[
            dataset_pb2.DatasetSplit(
                split=split["split"],
                content=_blob(split["digest"], split["size_bytes"]),
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
            operation=record.operation,
            cache_key=record.cache_key,
        ),
        retention=None if retention is None else message_to_json(retention, field="module.retention"),
        weight_retention=None if retention is None else retention.weight_retention,
    )


def module_to_proto(row: ModuleRow) -> module_pb2.Module:
    """A stored module."""
    message = _module_message(row)
    message.MergeFromString(packed_module(row.record, row.retention))
    return message


def listed_module_to_proto(listed: ListedModule) -> module_pb2.Module:
    """A stored module as lists read it."""
    message = _module_message(listed.row)
    message.MergeFromString(listed.packed)
    return message


def _module_message(row: ModuleRow) -> module_pb2.Module:
    """All but record and retention."""
    problem = problem_of(row)
    message = module_pb2.Module(
        **described_fields(row),
        base_model=row.base_model,
        base_digest=row.base_digest,
        problem=problem_to_proto(problem),
        outputs=problem.outputs,
        artifact=_blob(row.artifact_digest, row.artifact_bytes),
        dataset=row.dataset,
    )
    if row.forms is not None:
        message.forms.CopyFrom(stored_message(forms_pb2.FormComparison, row.forms))
    return message


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
        problem=problem_from_proto(message.problem) if message.HasField("problem") else None,
        sample_count=message.sample_count,
        accuracy=message.classification.accuracy if message.HasField("classification") else None,
        operation=message.operation,
        parts=tuple(EvaluatedPartDraft(part.dataset, part.dataset_digest) for part in message.parts),
    )


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
            create_time=timestamp(row.create_time),
        )
    )
    return message


def edge_to_proto(row: ProvenanceRow) -> provenance_pb2.ProvenanceEdge:
    """A stored step of provenance."""
    return provenance_pb2.ProvenanceEdge(
        subject=row.subject,
        relation=provenance_pb2.Relation.Value(f"RELATION_{row.relation}"),
        object=row.object,
        object_digest=row.object_digest,
        create_time=timestamp(row.create_time),
    )


def problem_from_proto(message: problem_pb2.TargetProblem) -> Problem | None:
    """A problem, or None when none is set."""
    match message.WhichOneof("kind"):
        case "binary":
            return BinaryProblem(message.binary.label)
        case "multi_class":
            return MultiClassProblem(tuple(message.multi_class.labels))
        case "open_set":
            return OpenSetProblem(tuple(message.open_set.labels))
        case _:
            return None


def problem_to_proto(problem: Problem) -> problem_pb2.TargetProblem:
    """The message of a problem."""
    match problem:
        case BinaryProblem(label):
            return problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label=label))
        case MultiClassProblem(labels):
            return problem_pb2.TargetProblem(multi_class=problem_pb2.MultiClassProblem(labels=labels))
        case OpenSetProblem(labels):
            return problem_pb2.TargetProblem(open_set=problem_pb2.OpenSetProblem(labels=labels))


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
        "create_time": timestamp(row.create_time),
        "update_time": timestamp(row.update_time),
        "etag": row.etag,
    }


def _blob(digest: str, size: int) -> blob_pb2.BlobRef:
    return blob_pb2.BlobRef(digest=digest, size_bytes=size, media_type=MEDIA_TYPE)


def timestamp(moment: datetime) -> Timestamp:
    """A moment."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def message_to_json(message: Message, *, field: str) -> Mapping[str, Any]:
    """The JSON of a message.

    Raises:
        InvalidField: it has NaN or infinity where JSON has none.
    """
    try:
        return MessageToDict(message, preserving_proto_field_name=True)
    except (Error, ValueError):
        # A Struct may carry what JSON cannot.
        raise InvalidField(f"{field} has NaN or infinity", field=field, hint="pass finite numbers") from None
