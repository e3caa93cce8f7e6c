"""ONNX files that compute in int8: static quantisation by onnxruntime, calibrated on images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch

from modelfoundry.core.export.graphs import parsed
from modelfoundry.core.export.sessions import INPUT_NAME
from modelfoundry.core.export.slimming import slim_onnx
from modelfoundry.errors import UnsupportedModel

DEFAULT_CALIBRATION_IMAGES: Final = 256
CALIBRATION_IMAGES: Final = (16, 4096)
"""Fewest and most."""
_BATCH: Final = 32
_INTEGER_WORK: Final = frozenset({"QLinearConv", "QGemm", "QLinearMatMul"})
_FLOATING_WORK: Final = frozenset({"Conv", "Gemm", "MatMul"})
_NORMALISATION: Final = "LayerNormalization"
"""Has no form on integers."""
_HINT: Final = "export it with weights int8, which computes in float32, or with neither"


def compute_in_int8(content: bytes, images: torch.Tensor) -> bytes:
    """Quantises weights and activations of an ONNX file: convolutions and matrix products run on 8-bit integers.

    Activations are unsigned, with the range that they have on the images; weights are signed, with a scale for every
    output, in 7 bits: processors without VNNI add products of 8-bit weights up with saturation, and the file would
    answer worse on them than where it was measured.

    Args:
        content: A float32 file that `slim_onnx` gave.
        images: uint8 [n, channels, height, width], drawn from the training split; `CALIBRATION_IMAGES` says how many.

    Returns:
        Equal bytes for equal bytes and images.

    Raises:
        UnsupportedModel: no layer can be computed in int8, or onnxruntime cannot quantise the network.
        ValueError: too few images, or too many.
    """
    fewest, most = CALIBRATION_IMAGES
    if not fewest <= len(images) <= most:
        raise ValueError(f"{len(images)} images to calibrate on, not {fewest} to {most}")
    with tempfile.TemporaryDirectory(prefix="modelfoundry-int8-") as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(_named(content))
        _quantise(source, target, images)
        quantised = target.read_bytes()
    if not any(node.op_type in _INTEGER_WORK for node in parsed(quantised).graph.node):
        raise UnsupportedModel("no layer of the network can be computed in int8", hint=_HINT, metadata={"layer": ""})
    return slim_onnx(quantised)


def _named(content: bytes) -> bytes:
    """The file with names of nodes, which onnxruntime goes by, and the note without which it warns."""
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata  # takes a second

    model = parsed(content)
    for place, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}.{place}"
    mark: Any = add_pre_process_metadata
    mark(model)
    named: bytes = model.SerializeToString(deterministic=True)
    return named


def _quantise(source: Path, target: Path, images: torch.Tensor) -> None:
    from onnxruntime import quantization  # only this needs it, and it takes a second

    runtime: Any = quantization
    try:
        runtime.quantize_static(
            source,
            target,
            _reader(runtime.CalibrationDataReader, images),
            quant_format=runtime.QuantFormat.QOperator,
            per_channel=True,
            reduce_range=True,
            activation_type=runtime.QuantType.QUInt8,
            weight_type=runtime.QuantType.QInt8,
            nodes_to_exclude=_left_in_float(parsed(source.read_bytes()).graph),
        )
    except (ValueError, RuntimeError, AssertionError, LookupError, TypeError, NotImplementedError) as error:
        first_line = str(error).strip().partition("\n")[0][:200]
        raise UnsupportedModel(
            f"onnxruntime cannot quantise the network: {first_line}", hint=_HINT, metadata={"layer": ""}
        ) from error


def _left_in_float(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that are no work on integers.

    Behind the last layer of every branch (a composition has one a source): a few numbers an image, where every
    conversion costs more than the integers save, and log-odds would lose their precision. And in a transformer all but
    the layers with weights: between two of them everything passes a normalisation, which has no form on integers, so
    that the rest would be converted to and fro, slower and less exact than in float32.
    """
    leading = _leading_to_work(graph)
    names = [node.name for node in graph.node if node.name not in leading]
    if any(node.op_type == _NORMALISATION and node.name in leading for node in graph.node):
        constants = {tensor.name for tensor in graph.initializer}
        names += [node.name for node in graph.node if node.name in leading and not _has_weights(node, constants)]
    return names


def _leading_to_work(graph: onnx.GraphProto) -> set[str]:
    """Names of the convolutions and matrix products, and of the nodes whose outputs come to one."""
    wanted: set[str] = set()
    names: set[str] = set()
    for node in reversed(graph.node):  # in the order of computing
        if node.op_type in _FLOATING_WORK or not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            names.add(node.name)
    return names


def _has_weights(node: onnx.NodeProto, constants: set[str]) -> bool:
    return node.op_type in _FLOATING_WORK and not constants.isdisjoint(node.input)


def _reader(kind: Any, images: torch.Tensor) -> Any:
    """What onnxruntime asks for batches, of a class that it has to derive from its own."""

    def get_next(reader: Any) -> dict[str, Any] | None:
        return next(reader.batches, None)

    reader = type("ImageReader", (kind,), {"get_next": get_next})()
    reader.batches = _batches(images)
    return reader


def _batches(images: torch.Tensor) -> Iterator[dict[str, Any]]:
    for batch in torch.split(images, _BATCH):
        yield {INPUT_NAME: batch.numpy().astype(np.float32) / np.float32(255)}
