"""Architectures, inputs, tensors and what a check of a model found."""

from __future__ import annotations

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2
from modelfoundry.values.architectures import Architecture, InputSpec, MaskableLayer, ModelCheck, TensorSpec
from modelfoundry.wire.pairs import Pair

ARCHITECTURE = Pair(Architecture, architecture_pb2.Architecture)
architecture_to_proto = ARCHITECTURE.to_proto

INPUT_SPEC = Pair(InputSpec, architecture_pb2.InputSpec)
input_spec_to_proto = INPUT_SPEC.to_proto
input_spec_from_proto = INPUT_SPEC.from_proto

TENSOR_SPEC = Pair(TensorSpec, blob_pb2.TensorSpec)
tensor_spec_to_proto = TENSOR_SPEC.to_proto
tensor_spec_from_proto = TENSOR_SPEC.from_proto

MODEL_CHECK = Pair(
    ModelCheck,
    evaluator_service_pb2.CheckModelResponse,
    Pair(MaskableLayer, evaluator_service_pb2.MaskableLayer),
)
model_check_to_proto = MODEL_CHECK.to_proto
model_check_from_proto = MODEL_CHECK.from_proto
