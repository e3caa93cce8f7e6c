"""ONNX weights in fewer bytes: kept as float16 or int8, computed with as float32."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from modelfoundry.core.export.graphs import Constants, Numbers, attribute, is_op, parsed, serialised
from modelfoundry.core.export.slimming import slim_onnx
from modelfoundry.values.file_forms import WeightFormat

_WORTH: Final = 64
"""Numbers of a tensor from which on a node that converts it takes less room than it saves."""


def store_weights(content: bytes, weights: WeightFormat) -> bytes:
    """Writes the weights of an ONNX file in a smaller format; onnxruntime makes them float32 once, when it loads it.

    So the file runs as fast as before: the conversions are `Cast`, and for int8 `Mul`, which are folded;
    `DequantizeLinear` is not. int8 is symmetric, with a scale for every output of a layer, and for weights of
    convolutions and linear layers only: biases and other constants stay float32.

    Args:
        content: A file that `slim_onnx` gave.
        weights: How they are kept; float32 gives the content as it is.

    Returns:
        Equal bytes for equal bytes. A tensor with numbers beyond float16 stays float32.
    """
    if weights is WeightFormat.FP32:
        return content
    model = parsed(content)
    constants = Constants(model.graph)
    conversions: list[onnx.NodeProto] = []
    axes = _weight_axes(model.graph)
    for name in [tensor.name for tensor in model.graph.initializer]:
        numbers = constants.array(name)
        if numbers is None or numbers.dtype != np.float32 or numbers.size < _WORTH:
            continue
        if weights is WeightFormat.FP16:
            conversions += _as_float16(name, numbers, constants)
        elif name in axes:
            conversions += _as_int8(name, numbers, axes[name], constants)
    nodes = [*conversions, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    converted = {name for node in conversions for name in node.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in converted]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return slim_onnx(serialised(model))


def _weight_axes(graph: onnx.GraphProto) -> dict[str, int]:
    """Weights of layers, to the axis along which their outputs lie."""
    axes: dict[str, int] = {}
    for node in graph.node:
        if is_op(node, "Conv"):
            axes[node.input[1]] = 0
        elif is_op(node, "ConvTranspose") and attribute(node, "group", 1) == 1:
            axes[node.input[1]] = 1
        elif is_op(node, "Gemm"):
            axes[node.input[1]] = 0 if attribute(node, "transB", 0) else 1
        elif is_op(node, "MatMul"):
            axes[node.input[1]] = -1
    return axes


def _as_float16(name: str, numbers: Numbers, constants: Constants) -> list[onnx.NodeProto]:
    with np.errstate(over="ignore"):
        halves = numbers.astype(np.float16)
    if not np.array_equal(np.isfinite(halves), np.isfinite(numbers)):
        return []
    return [onnx.helper.make_node("Cast", [constants.add(halves, name)], [name], to=onnx.TensorProto.FLOAT)]


def _as_int8(name: str, numbers: Numbers, axis: int, constants: Constants) -> list[onnx.NodeProto]:
    if numbers.ndim < 2 or not np.isfinite(numbers).all():
        return []
    others = tuple(place for place in range(numbers.ndim) if place != axis % numbers.ndim)
    largest = np.abs(numbers).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    steps = np.clip(np.round(numbers / scales), -127, 127).astype(np.int8)
    cast = constants.free_name(name)
    return [
        onnx.helper.make_node("Cast", [constants.add(steps, name)], [cast], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", [cast, constants.add(scales, name)], [name]),
    ]
