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

from modelfoundry.core.architectures import Architecture, InputSpec, build_network, load_state
from modelfoundry.core.composing import Calibration, ComposedNetwork, Member, NormalisedNetwork, Readout
from modelfoundry.core.export.subject import (
    DESCRIPTION_FILE,
    FORMAT,
    FORMAT_VERSION,
    Export,
    Exportable,
    ExportedFile,
    ImageClassifier,
    classifier_of,
    write_description,
)
from modelfoundry.core.export.verification import max_difference
from modelfoundry.core.modules import MaterialisedModule, head_network
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import FieldViolation, MalformedFile, WeightsMismatch

WEIGHTS_FILE: Final = "model.safetensors"


def export_safetensors(subject: Exportable, folder: Path) -> Export:
    """Writes the weights (masked, and the head, for a module) and the description, and loads them again.

    Of tensors that sources of a composition share, one is written.

    Args:
        subject: What to export.
        folder: An existing folder.

    Raises:
        ExportMismatch: the files rebuild something else.
    """
    classifier = classifier_of(subject)
    path = folder / WEIGHTS_FILE
    state = subject.network.state_dict()
    shared = _shared_names(state)
    write_tensors(path, {name: tensor for name, tensor in state.items() if name not in shared})
    files = (ExportedFile(WEIGHTS_FILE, path), write_description(folder, subject, WEIGHTS_FILE, shared))
    return Export(files, max_difference(load_exported(folder), classifier))


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
    state = _with_shared(description, state)
    classifier = _rebuilt(description, state)
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
    first: dict[tuple[int, torch.Size], str] = {}
    names = {name: first.setdefault((tensor.data_ptr(), tensor.shape), name) for name, tensor in state.items()}
    return {name: original for name, original in names.items() if name != original}


def _rebuilt(description: Any, state: Mapping[str, Tensor]) -> ImageClassifier:
    match description:
        case {
            "format": str(name),
            "format_version": int(version),
            "input": {"shape": [_, int(channels), int(height), int(width)]},
            "normalisation": {"mean": [*mean], "std": [*std]},
            "output": {"labels": [*outputs]},
            "kind": str(kind),
        } if (name, version) == (FORMAT, FORMAT_VERSION):
            spec = InputSpec(channels, height, width, tuple(mean), tuple(std))
            with torch.random.fork_rng(devices=[]):
                network = (
                    _composed_of(description, state, spec, tuple(outputs))
                    if kind == "composition"
                    else _network_of(description, state, spec, tuple(outputs))
                )
            return ImageClassifier(network, spec, tuple(outputs))
    raise _malformed()


def _network_of(
    description: Any, state: Mapping[str, Tensor], spec: InputSpec, outputs: tuple[str, ...], prefix: str = ""
) -> nn.Module:
    """A model or module with weights yet to be loaded; its tensors have names that begin with `prefix`."""
    match description:
        case {
            "kind": ("model" | "module") as kind,
            "base": {
                "architecture": {"builder": str(), "parameters": {}} as architecture,
                "label_count": int(label_count),
            },
        }:
            network = build_network(Architecture(**architecture), label_count, spec)
            if kind == "model":
                return network
            head = head_network(label_count, (*_hidden_widths(state, prefix), len(outputs)), "cpu")
            return MaterialisedModule(network, head, outputs)
    raise _malformed()


def _composed_of(
    description: Any, state: Mapping[str, Tensor], spec: InputSpec, outputs: tuple[str, ...]
) -> ComposedNetwork:
    """A composition with weights yet to be loaded."""
    match description:
        case {"sources": [*sources], "members": [*members], "shared_tensors": {}}:
            networks = [
                _source_of(source, state, spec, f"sources.{place}.network.") for place, source in enumerate(sources)
            ]
            read = [_member_of(member, len(networks)) for member in members]
            if len(read) == len(outputs):
                return ComposedNetwork(networks, read, outputs)
    raise _malformed()


def _source_of(description: Any, state: Mapping[str, Tensor], spec: InputSpec, prefix: str) -> NormalisedNetwork:
    match description:
        case {"labels": [*labels], "mean": [*mean], "std": [*std]}:
            own = InputSpec(*spec.shape, tuple(mean), tuple(std))
            return NormalisedNetwork(_network_of(description, state, own, tuple(labels), prefix), own)
    raise _malformed()


def _member_of(description: Any, sources: int) -> Member:
    match description:
        case {
            "source": int(source),
            "output": int(column),
            "rest": int() | None as rest,
            "scale": float() | int() as scale,
            "bias": float() | int() as bias,
        } if 0 <= source < sources:
            return Member(source, Readout(column, rest), Calibration(float(scale), float(bias)))
    raise _malformed()


def _malformed() -> MalformedFile:
    return MalformedFile(
        f"{DESCRIPTION_FILE} does not describe a {FORMAT} of version {FORMAT_VERSION}",
        hint="export it again with this version of ModelFoundry",
    )


def _hidden_widths(state: Mapping[str, Tensor], prefix: str = "") -> list[int]:
    """Number of outputs of every layer of a head but the last."""
    widths: list[int] = []
    while (
        f"{prefix}head.{len(widths) + 1}.weight" in state
        and (bias := state.get(f"{prefix}head.{len(widths)}.bias")) is not None
    ):
        widths.append(bias.numel())
    return widths


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
