"""Batch normalisation as part of the layer before it (Jacob et al., CVPR 2018, section 3.2)."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from modelfoundry.core.export.graphs import Constants, Numbers, attribute, is_op, uses_of

_EPSILON: Final = 1e-5
"""ONNX's default."""


def fold_batch_norms(graph: onnx.GraphProto) -> None:
    """Multiplies every batch normalisation into the convolution or linear layer before it, where that is exact.

    It is where nothing else reads what the layer gives, and both have constant numbers. torch's exporter folds most by
    itself. Computed in float64.

    Args:
        graph: Changed in place.
    """
    uses, constants = uses_of(graph), Constants(graph)
    made_by = {name: node for node in graph.node for name in node.output}
    for norm in [node for node in graph.node if is_op(node, "BatchNormalization")]:
        layer = made_by.get(norm.input[0])
        if layer is not None and uses[norm.input[0]] == 1 and _fold(layer, norm, constants):
            made_by[norm.output[0]] = layer
            graph.node.remove(norm)


def _fold(layer: onnx.NodeProto, norm: onnx.NodeProto, constants: Constants) -> bool:
    """Makes a layer do what the normalisation behind it does; False: it cannot."""
    if len([name for name in norm.output if name]) > 1 or not is_op(layer, "Conv", "Gemm"):
        return False
    given = [constants.array(name) for name in norm.input[1:]]
    weight = constants.array(layer.input[1])
    biased = len(layer.input) > 2 and layer.input[2] != ""
    bias = constants.array(layer.input[2]) if biased else np.float32(0)
    if weight is None or bias is None or any(numbers is None for numbers in given) or not _plain(layer):
        return False
    scale, shift, mean, variance = (np.asarray(numbers, np.float64) for numbers in given)
    factor = scale / np.sqrt(variance + attribute(norm, "epsilon", _EPSILON))
    new_bias = (np.asarray(bias, np.float64) - mean) * factor + shift
    names = (
        constants.add((weight * _along(factor, layer, weight)).astype(weight.dtype), layer.input[1]),
        constants.add(np.broadcast_to(new_bias, factor.shape).astype(weight.dtype), f"{layer.input[1]}.bias"),
    )
    layer.input[:] = [layer.input[0], *names]
    layer.output[:] = [norm.output[0]]
    return True


def _plain(layer: onnx.NodeProto) -> bool:
    """Whether the layer's numbers are used as they are."""
    return is_op(layer, "Conv") or (attribute(layer, "alpha", 1.0) == 1.0 and attribute(layer, "beta", 1.0) == 1.0)


def _along(factor: Numbers, layer: onnx.NodeProto, weight: Numbers) -> Numbers:
    """One number for every output of the layer, to be multiplied with its weights."""
    if is_op(layer, "Gemm") and not attribute(layer, "transB", 0):
        return factor
    return factor.reshape(-1, *[1] * (weight.ndim - 1))
