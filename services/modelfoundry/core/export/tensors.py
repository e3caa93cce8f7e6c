"""Export as `model.safetensors` and `module.json`: everything that rebuilds the network, and nothing that runs code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from modelfoundry.core.architectures import load_state
from modelfoundry.core.composing import ComposedNetwork
from modelfoundry.core.export.computation import program_of
from modelfoundry.core.export.measuring import ExportImages, measured_beside
from modelfoundry.core.export.subject import (
    EXACT,
    Export,
    Exportable,
    ExportedFile,
    classifier_of,
    write_description,
)
from modelfoundry.core.export.verification import max_difference, rounded_difference
from modelfoundry.core.exported import DESCRIPTION_FILE, ImageClassifier, rebuilt
from modelfoundry.core.networks import BUILDERS
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import FieldViolation, MalformedFile, WeightsMismatch
from modelfoundry.values.file_forms import ExportForm, WeightFormat

WEIGHTS_FILE: Final = "model.safetensors"


def export_safetensors(
    subject: Exportable, folder: Path, form: ExportForm = EXACT, images: ExportImages | None = None
) -> Export:
    """Writes the weights (masked, and the head, for a module) and the description, and loads them again.

    Of tensors that sources of a composition share, one is written. As float16 are kept weights of layers; biases and
    what normalisations have stay float32, as do tensors with numbers beyond float16.

    Args:
        subject: What to export.
        folder: An existing folder.
        form: How the weights are kept; float32 or float16.
        images: What float16 is measured on.

    Raises:
        ExportMismatch: the files rebuild something else, or as float16 answer much worse.
    """
    classifier = classifier_of(subject)
    path = folder / WEIGHTS_FILE
    state = subject.network.state_dict()
    shared = _shared_names(state)
    kept = {name: tensor for name, tensor in state.items() if name not in shared}
    if form.weights is WeightFormat.FP16:
        kept = {name: _halved(tensor) for name, tensor in kept.items()}
    write_tensors(path, kept)
    operations = program_of(classifier, {name: shared.get(name, name) for name in state})
    description = write_description(folder, subject, WEIGHTS_FILE, shared, form, operations=operations)
    rebuilt_network = load_exported(folder)
    if form.exact:
        return Export((ExportedFile(WEIGHTS_FILE, path), description), max_difference(rebuilt_network, classifier))
    difference, measured = rounded_difference(rebuilt_network, classifier), None
    if images is not None:
        with torch.no_grad():
            measured = measured_beside(rebuilt_network, classifier, images, calibrated_on=0)
        description = write_description(folder, subject, WEIGHTS_FILE, shared, form, measured, operations)
    return Export((ExportedFile(WEIGHTS_FILE, path), description), difference, measured)


def _halved(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32 or tensor.dim() < 2:
        return tensor
    halves = tensor.half()
    return halves if torch.equal(halves.isfinite(), tensor.isfinite()) else tensor


def load_exported(folder: Path) -> ImageClassifier:
    """Rebuilds what `export_safetensors` wrote; `torch.export` programs and ONNX files are run by their own libraries.

    Args:
        folder: Has `model.safetensors` and `module.json`.

    Returns:
        A network on the CPU, in evaluation mode: float32 images in [0, 1] to logits of `.outputs`.

    Raises:
        MalformedFile: one of the files is not what it should be.
        WeightsMismatch: the tensors do not fit the architecture; each is a violation.
        UnknownArchitecture, InvalidField: the installed libraries have no such architecture.
    """
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        state = safetensors.torch.load_file(folder / WEIGHTS_FILE)
    except (ValueError, RecursionError, safetensors.SafetensorError) as error:
        raise MalformedFile(f"no export of ModelFoundry: {error}", hint="export or download it again") from error
    try:
        state = _with_shared(description, state)
        classifier = rebuilt(description, state, BUILDERS)
    except ValueError as error:
        raise MalformedFile(f"{DESCRIPTION_FILE}: {error}", hint="export or download it again") from error
    _load(classifier.network, state)
    if isinstance(classifier.network, ComposedNetwork):
        classifier.network.eval().share_work(classifier.input_spec)
    return classifier.eval().requires_grad_(False)


def _with_shared(description: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """All tensors by all of their names."""
    match description:
        case {"shared_tensors": {**shared}}:
            return state | {str(name): state[first] for name, first in shared.items() if first in state}
    return state


def _shared_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Names of tensors that are another one in memory, to the first name of that."""
    # A composition's sources have one object for equal tensors (`share_equal_tensors`). The extents as well: a view of
    # the beginning of a tensor lies at the same address.
    first: dict[tuple[int, torch.Size], str] = {}
    names = {name: first.setdefault((tensor.data_ptr(), tensor.shape), name) for name, tensor in state.items()}
    return {name: original for name, original in names.items() if name != original}


def _load(network: nn.Module, state: dict[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    violations = tuple(
        FieldViolation(name, f"shape {tuple(state[name].shape) if name in state else 'missing'}, expected {shape}")
        for name, shape in expected.items()
        if (name in state or not name.endswith("num_batches_tracked"))
        and (name not in state or tuple(state[name].shape) != shape)
    ) + tuple(FieldViolation(name, "left over") for name in state if name not in expected)
    if violations:
        raise WeightsMismatch(
            f"{len(violations)} tensors of {WEIGHTS_FILE} do not fit {DESCRIPTION_FILE}, first {violations[0].field}",
            hint="keep the two files of one export together",
            violations=violations[:40],
        )
    load_state(network, state)
