"""Models, data sets and provenance. Fields that the server fills in are read, never sent."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import dataset_pb2, model_pb2, provenance_pb2
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.values.resources import BlobRef, Dataset, DatasetSplit, Model, ModelOrigin, ProvenanceEdge, Relation
from modelfoundry.wire.architectures import (
    architecture_from_proto,
    architecture_to_proto,
    input_spec_from_proto,
    input_spec_to_proto,
    tensor_spec_from_proto,
)
from modelfoundry.wire.enums import enum_from_proto
from modelfoundry.wire.times import time_from_proto
from modelfoundry.wire.training import training_record_from_proto, training_record_to_proto


def blob_ref_to_proto(blob: BlobRef) -> blob_pb2.BlobRef:
    """Value to message."""
    return blob_pb2.BlobRef(digest=blob.digest, size_bytes=blob.size_bytes, media_type=blob.media_type)


def blob_ref_from_proto(message: blob_pb2.BlobRef) -> BlobRef:
    """Message to value."""
    return BlobRef(message.digest, message.size_bytes, message.media_type)


def model_to_proto(model: Model) -> model_pb2.Model:
    """Value to message."""
    return model_pb2.Model(
        display_name=model.display_name,
        description=model.description,
        license=model.license,
        tags=dict(model.tags),
        intended_use=model.intended_use,
        architecture=architecture_to_proto(model.architecture),
        input=input_spec_to_proto(model.input),
        labels=model.labels,
        weights=blob_ref_to_proto(model.weights),
        training_dataset=model.training_dataset,
        operation=model.operation,
        training=None if model.training is None else training_record_to_proto(model.training),
        origin=None if model.origin is None else _origin_to_proto(model.origin),
    )


def model_from_proto(message: model_pb2.Model) -> Model:
    """Message to value."""
    return Model(
        name=message.name,
        uid=message.uid,
        display_name=message.display_name,
        description=message.description,
        license=message.license,
        tags=dict(message.tags),
        intended_use=message.intended_use,
        architecture=architecture_from_proto(message.architecture),
        input=input_spec_from_proto(message.input),
        labels=tuple(message.labels),
        weights=blob_ref_from_proto(message.weights),
        tensors=tuple(tensor_spec_from_proto(tensor) for tensor in message.tensors),
        training_dataset=message.training_dataset,
        operation=message.operation,
        training=training_record_from_proto(message.training) if message.HasField("training") else None,
        origin=_origin_from_proto(message.origin) if message.HasField("origin") else None,
        create_time=time_from_proto(message, "create_time"),
        update_time=time_from_proto(message, "update_time"),
        etag=message.etag,
    )


def _origin_to_proto(origin: ModelOrigin) -> model_pb2.ModelOrigin:
    return model_pb2.ModelOrigin(format=origin.format, resource=origin.resource, digest=origin.digest)


def _origin_from_proto(message: model_pb2.ModelOrigin) -> ModelOrigin:
    return ModelOrigin(message.format, message.resource, message.digest)


def dataset_to_proto(dataset: Dataset) -> dataset_pb2.Dataset:
    """Value to message."""
    return dataset_pb2.Dataset(
        display_name=dataset.display_name,
        description=dataset.description,
        license=dataset.license,
        tags=dict(dataset.tags),
        intended_use=dataset.intended_use,
        labels=dataset.labels,
        splits=[
            dataset_pb2.DatasetSplit(split=split.split, content=blob_ref_to_proto(split.content))
            for split in dataset.splits
        ],
    )


def dataset_from_proto(message: dataset_pb2.Dataset) -> Dataset:
    """Message to value."""
    return Dataset(
        name=message.name,
        uid=message.uid,
        display_name=message.display_name,
        description=message.description,
        license=message.license,
        tags=dict(message.tags),
        intended_use=message.intended_use,
        labels=tuple(message.labels),
        splits=tuple(
            DatasetSplit(
                split=split.split,
                content=blob_ref_from_proto(split.content),
                sample_count=split.sample_count,
                label_counts=tuple(split.label_counts),
            )
            for split in message.splits
        ),
        channels=message.channels,
        height=message.height,
        width=message.width,
        digest=message.digest,
        create_time=time_from_proto(message, "create_time"),
        update_time=time_from_proto(message, "update_time"),
        etag=message.etag,
    )


def provenance_edge_from_proto(message: provenance_pb2.ProvenanceEdge) -> ProvenanceEdge | None:
    """Message to value; None for a relation that a newer registry knows and this SDK does not."""
    relation = enum_from_proto(provenance_pb2.Relation, "RELATION", message.relation, Relation)
    if relation is None:
        return None
    return ProvenanceEdge(
        subject=message.subject,
        relation=relation,
        object=message.object,
        object_digest=message.object_digest,
        create_time=time_from_proto(message, "create_time"),
    )
