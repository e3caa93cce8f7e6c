"""Models, data sets and provenance."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import dataset_pb2, model_pb2, provenance_pb2
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.values.resources import BlobRef, Dataset, DatasetSplit, Model, ModelOrigin, ProvenanceEdge
from modelfoundry.wire.architectures import ARCHITECTURE, INPUT_SPEC, TENSOR_SPEC
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.training import TRAINING_RECORD

BLOB_REF = Pair(BlobRef, blob_pb2.BlobRef)
blob_ref_to_proto = BLOB_REF.to_proto
blob_ref_from_proto = BLOB_REF.from_proto

MODEL_ORIGIN = Pair(ModelOrigin, model_pb2.ModelOrigin)
model_origin_from_proto = MODEL_ORIGIN.from_proto

MODEL = Pair(
    Model,
    model_pb2.Model,
    ARCHITECTURE,
    INPUT_SPEC,
    BLOB_REF,
    TENSOR_SPEC,
    TRAINING_RECORD,
    MODEL_ORIGIN,
)
model_to_request = MODEL.to_request
model_from_proto = MODEL.from_proto

DATASET_SPLIT = Pair(DatasetSplit, dataset_pb2.DatasetSplit, BLOB_REF)
dataset_split_from_proto = DATASET_SPLIT.from_proto

DATASET = Pair(Dataset, dataset_pb2.Dataset, DATASET_SPLIT)
dataset_to_request = DATASET.to_request
dataset_from_proto = DATASET.from_proto

PROVENANCE_EDGE = Pair(ProvenanceEdge, provenance_pb2.ProvenanceEdge)
provenance_edge_to_proto = PROVENANCE_EDGE.to_proto
provenance_edge_from_proto = PROVENANCE_EDGE.known_from_proto
