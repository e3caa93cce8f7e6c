"""Architectures, inputs, tensors and blobs."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, struct_pb2

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2
from modelfoundry.values.architectures import Architecture, InputSpec, MaskableLayer, ModelCheck, TensorSpec


def architecture_to_proto(architecture: Architecture) -> architecture_pb2.Architecture:
    """Value to message."""
    message = architecture_pb2.Architecture(builder=architecture.builder)
    if architecture.parameters:
        message.parameters.update(dict(architecture.parameters))
    return message


def architecture_from_proto(message: architecture_pb2.Architecture) -> Architecture:
    """Message to value. Whole numbers come back as int: on the wire all numbers are doubles."""
    return Architecture(message.builder, struct_from_proto(message.parameters))


def struct_from_proto(message: struct_pb2.Struct) -> dict[str, Any]:
    """Struct to dict, whole numbers as int."""
    content = json_format.MessageToDict(message)
    return {key: _whole(value) for key, value in content.items()}


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case _:
            return value


def input_spec_to_proto(spec: InputSpec) -> architecture_pb2.InputSpec:
    """Value to message."""
    return architecture_pb2.InputSpec(
        channels=spec.channels, height=spec.height, width=spec.width, mean=spec.mean, std=spec.std
    )


def input_spec_from_proto(message: architecture_pb2.InputSpec) -> InputSpec:
    """Message to value."""
    return InputSpec(message.channels, message.height, message.width, tuple(message.mean), tuple(message.std))


def tensor_spec_to_proto(spec: TensorSpec) -> blob_pb2.TensorSpec:
    """Value to message."""
    return blob_pb2.TensorSpec(name=spec.name, dtype=spec.dtype, shape=spec.shape)


def tensor_spec_from_proto(message: blob_pb2.TensorSpec) -> TensorSpec:
    """Message to value."""
    return TensorSpec(message.name, message.dtype, tuple(message.shape))


def model_check_from_proto(message: evaluator_service_pb2.CheckModelResponse) -> ModelCheck:
    """Message to value."""
    layers = tuple(
        MaskableLayer(layer.layer, layer.type, tuple(layer.weight_shape), layer.has_bias) for layer in message.layers
    )
    return ModelCheck(message.parameter_count, message.mask_count, layers)
