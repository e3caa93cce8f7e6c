"""Export as a program that runs without ModelFoundry: `torch.export` and ONNX, both with a free batch size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.onnx import OnnxExporterError

from modelfoundry.core.export.measuring import ExportImages, measured_beside
from modelfoundry.core.export.quantising import compute_in_int8
from modelfoundry.core.export.sessions import INPUT_NAME, OUTPUT_NAME, onnx_program
from modelfoundry.core.export.slimming import slim_onnx
from modelfoundry.core.export.storing import store_weights
from modelfoundry.core.export.subject import (
    EXACT,
    Export,
    Exportable,
    ExportedFile,
    classifier_of,
    write_description,
)
from modelfoundry.core.export.timing import interleaved_onnx_latency
from modelfoundry.core.export.tracing import HINT, traced
from modelfoundry.core.export.verification import max_difference, rounded_difference
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.exports import FileLatency
from modelfoundry.values.file_forms import Compute, ExportForm

TORCH_FILE: Final = "model.pt2"
ONNX_FILE: Final = "model.onnx"
_ONNX_LIMIT: Final = 2**31 - 2**20
"""Bytes: one ONNX file is one protobuf message, which ends at 2 GiB."""

_BATCH_SIZES: Final = (1, 16)
_SECONDS: Final = 0.5
"""For which each of two files is timed at each batch size."""


def export_torch(subject: Exportable, folder: Path) -> Export:
    """Writes `model.pt2`, to be run with `torch.export.load(path).module()`, and its description.

    Args:
        subject: What to export.
        folder: An existing folder.

    Raises:
        UnsupportedModel: a layer cannot be traced; it is named.
        ExportMismatch: the program gives other logits.
    """
    classifier = classifier_of(subject)
    path = folder / TORCH_FILE
    torch.export.save(traced(classifier), path)
    program = torch.export.load(path).module()
    files = (ExportedFile(TORCH_FILE, path), write_description(folder, subject, TORCH_FILE))
    return Export(files, max_difference(program, classifier))


def export_onnx(
    subject: Exportable, folder: Path, form: ExportForm = EXACT, images: ExportImages | None = None
) -> Export:
    """Writes `model.onnx` and its description, and runs it with onnxruntime.

    The float32 file must give the network's logits, whatever form is written then.

    Args:
        subject: What to export.
        folder: An existing folder.
        form: How the file keeps its weights, and what it computes with.
        images: What another form is measured on; int8 is calibrated on them and needs them.

    Raises:
        UnsupportedModel: a layer cannot be traced, an operation has no ONNX form (named), the file would pass 2 GiB, or
            the network cannot be computed in int8.
        ExportMismatch: the program gives other logits, or in its form answers much worse.
    """
    classifier = classifier_of(subject)
    exact = onnx_of(classifier)
    exact_program = onnx_program(exact)
    difference = max_difference(exact_program, classifier)
    content, measured = exact, None
    if not form.exact:
        content = in_form(exact, form, images)
        program = onnx_program(content)
        difference = rounded_difference(program, classifier)
        if images is not None:
            calibrated_on = len(images.calibration) if form.compute is Compute.INT8 else 0
            measured = measured_beside(program, exact_program, images, calibrated_on)
            measured = replace(measured, latencies=_latencies(exact, content, subject.input_spec))
    path = folder / ONNX_FILE
    path.write_bytes(content)
    description = write_description(folder, subject, ONNX_FILE, form=form, measured=measured)
    return Export((ExportedFile(ONNX_FILE, path), description), difference, measured)


def _latencies(exact: bytes, content: bytes, input_spec: InputSpec) -> tuple[FileLatency, ...]:
    """How long a file takes beside the float32 one."""
    first, second = interleaved_onnx_latency([exact, content], input_spec, _BATCH_SIZES, seconds=_SECONDS)
    return tuple(
        FileLatency(one.batch_size, other.median_ms, one.median_ms)
        for one, other in zip(first.latencies, second.latencies, strict=True)
    )


def in_form(content: bytes, form: ExportForm, images: ExportImages | None) -> bytes:
    """A float32 ONNX file in another form.

    Raises:
        UnsupportedModel: the network cannot be computed in int8.
        ValueError: int8 is to be computed with, and there are no images to calibrate on.
    """
    if form.compute is not Compute.INT8:
        return store_weights(content, form.weights)
    if images is None:
        raise ValueError("int8 is calibrated on images")
    return compute_in_int8(content, images.calibration)


def onnx_of(classifier: ImageClassifier) -> bytes:
    """The bytes of a slim ONNX file (`slimming`) that takes images in [0, 1], in any number, and gives logits.

    Args:
        classifier: On the CPU, in evaluation mode.

    Raises:
        UnsupportedModel: a layer cannot be traced, an operation has no ONNX form (named), or the file would pass 2 GiB.
    """
    _check_size(classifier)
    return slim_onnx(_converted(traced(classifier)))


def _check_size(classifier: nn.Module) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in classifier.state_dict().values())
    if size > _ONNX_LIMIT:
        raise UnsupportedModel(
            f"the weights take {size} bytes, an ONNX file holds at most {_ONNX_LIMIT}",
            hint=HINT,
            metadata={"layer": ""},
        )


def _converted(program: ExportedProgram) -> bytes:
    try:
        written = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=[INPUT_NAME], output_names=[OUTPUT_NAME]
        )
    except OnnxExporterError as error:
        operation, layer = _failed_operation(error, program)
        raise UnsupportedModel(
            f"ONNX has no form of {operation}" + (f" in layer {layer}" if layer else ""),
            hint=HINT,
            metadata={"layer": layer, "operation": operation},
        ) from error
    if written is None:
        raise UnsupportedModel("the network has no ONNX form", hint=HINT, metadata={"layer": ""})
    shape = written.model.graph.inputs[0].shape
    if shape is not None:
        written.rename_axes({str(shape[0]): "n"})
    content: bytes = written.model_proto.SerializeToString()
    return content


def _failed_operation(error: BaseException, program: ExportedProgram) -> tuple[str, str]:
    """Operation and layer that the exporter gave up on, from its chain of causes."""
    chain = "\n".join(str(link) for link in _causes(error))
    operation = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", chain)
    node = re.search(r"Error when translating node %(\w+)", chain)
    layer = _layer_of(node[1], program) if node else ""
    return operation[1] if operation else "an operation", layer


def _layer_of(node: str, program: ExportedProgram) -> str:
    """Name of the layer that made a node, which exists in the program or after its operations were decomposed."""
    decomposed: ExportedProgram = program.run_decompositions()
    for version in (program, decomposed):
        for found in version.graph.nodes:
            if found.name == node and found.meta.get("nn_module_stack"):
                name, _ = list(found.meta["nn_module_stack"].values())[-1]
                return str(name).removeprefix("network").removeprefix(".")
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__
