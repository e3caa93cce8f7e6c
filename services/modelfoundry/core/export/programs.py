"""Export as a program that runs without ModelFoundry: `torch.export` and ONNX, both with a free batch size."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.onnx import OnnxExporterError

from modelfoundry.core.export.sessions import INPUT_NAME, OUTPUT_NAME, onnx_program
from modelfoundry.core.export.slimming import slim_onnx
from modelfoundry.core.export.subject import (
    Export,
    Exportable,
    ExportedFile,
    classifier_of,
    write_description,
)
from modelfoundry.core.export.verification import max_difference
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.errors import UnsupportedModel
from modelfoundry.names import shortened

TORCH_FILE: Final = "model.pt2"
ONNX_FILE: Final = "model.onnx"
_HINT: Final = "export as safetensors, which works for every network"
_ONNX_LIMIT: Final = 2**31 - 2**20
"""Bytes: one ONNX file is one protobuf message, which ends at 2 GiB."""

_TRACING_FAILURES: Final = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What tracing raises for networks that it cannot follow."""


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
    torch.export.save(_traced(classifier), path)
    program = torch.export.load(path).module()
    files = (ExportedFile(TORCH_FILE, path), write_description(folder, subject, TORCH_FILE))
    return Export(files, max_difference(program, classifier))


def export_onnx(subject: Exportable, folder: Path) -> Export:
    """Writes `model.onnx` and its description, and runs it with onnxruntime.

    Args:
        subject: What to export.
        folder: An existing folder.

    Raises:
        UnsupportedModel: a layer cannot be traced, an operation has no ONNX form (named), or the file would pass 2 GiB.
        ExportMismatch: the program gives other logits.
    """
    classifier = classifier_of(subject)
    content = onnx_of(classifier)
    path = folder / ONNX_FILE
    path.write_bytes(content)
    files = (ExportedFile(ONNX_FILE, path), write_description(folder, subject, ONNX_FILE))
    return Export(files, max_difference(onnx_program(content), classifier))


def onnx_of(classifier: ImageClassifier) -> bytes:
    """The bytes of a slim ONNX file (`slimming`) that takes images in [0, 1], in any number, and gives logits.

    Args:
        classifier: On the CPU, in evaluation mode.

    Raises:
        UnsupportedModel: a layer cannot be traced, an operation has no ONNX form (named), or the file would pass 2 GiB.
    """
    _check_size(classifier)
    return slim_onnx(_converted(_traced(classifier)))


def _traced(classifier: ImageClassifier) -> ExportedProgram:
    example = torch.zeros(2, *classifier.input_spec.shape)
    with _layers_watched(classifier) as entered:
        try:
            program = torch.export.export(
                classifier, (example,), dynamic_shapes={INPUT_NAME: {0: Dim("n", min=1)}}, strict=False
            )
        except _TRACING_FAILURES as error:
            raise UnsupportedModel(
                f"{_where(entered)} cannot be traced: {_first_line(error)}",
                hint=_HINT,
                metadata={"layer": entered[-1][0] if entered else ""},
            ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # file names of this machine are nobody's business
    return program


@contextmanager
def _layers_watched(classifier: ImageClassifier) -> Iterator[list[tuple[str, str]]]:
    """Gives the layers (name, type) that were entered and not left: at a failure the last one is where it was."""
    entered: list[tuple[str, str]] = []

    def leave(*_: Any) -> None:
        entered.pop()

    handles = []
    for name, layer in classifier.network.named_modules():
        enter = functools.partial(_enter, entered, (name, type(layer).__name__))
        handles += [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)]
    try:
        yield entered
    finally:
        for handle in handles:
            handle.remove()


def _enter(entered: list[tuple[str, str]], layer: tuple[str, str], *_: Any) -> None:
    entered.append(layer)


def _where(entered: list[tuple[str, str]]) -> str:
    if not entered or not entered[-1][0]:
        return "the network"
    name, kind = entered[-1]
    return f"layer {name} ({kind})"


def _check_size(classifier: nn.Module) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in classifier.state_dict().values())
    if size > _ONNX_LIMIT:
        raise UnsupportedModel(
            f"the weights take {size} bytes, an ONNX file holds at most {_ONNX_LIMIT}",
            hint=_HINT,
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
            hint=_HINT,
            metadata={"layer": layer, "operation": operation},
        ) from error
    if written is None:
        raise UnsupportedModel("the network has no ONNX form", hint=_HINT, metadata={"layer": ""})
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


def _first_line(error: BaseException) -> str:
    return shortened(str(error).strip().partition("\n")[0], 200)
