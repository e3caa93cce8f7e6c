"""What is exported, the network as its users call it, and the JSON that describes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import nn

from modelfoundry.core.channels import LayerCut, Operation, Projection, widths_of
from modelfoundry.core.composing import ComposedNetwork, Member
from modelfoundry.core.export.computation import composition_steps, described_computation, model_steps
from modelfoundry.core.export.sessions import INPUT_NAME, OUTPUT_NAME
from modelfoundry.core.exported import DESCRIPTION_FILE, FORMAT, FORMAT_VERSION, OPERATING_VERSION, ImageClassifier
from modelfoundry.core.modules import LogOdds, MaterialisedModule
from modelfoundry.core.modules.artifact import problem_to_json
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.exports import ExportMeasurement
from modelfoundry.values.file_forms import ExportForm
from modelfoundry.values.problems import Problem

EXACT: Final = ExportForm()
"""float32 throughout."""


@dataclass(frozen=True, slots=True)
class ExportSubject:
    """A model, or a materialised module of one, with what its users must know."""

    network: nn.Module
    """Takes normalised images, gives logits. Moved to the CPU by an export."""
    outputs: tuple[str, ...]
    """Meaning of the logits, in order."""
    architecture: Architecture
    """Of the model, or of the module's base model."""
    label_count: int
    """Number of labels of the model, or of the module's base model."""
    input_spec: InputSpec
    weights_digest: str
    """`sha256:...` of the weights of the model, or of the module's base model."""
    problem: Problem | None = None
    """Target problem of a module; None for a model."""

    @property
    def cuts(self) -> tuple[LayerCut, ...]:
        """What the layers of a module's base network kept; empty for networks as their architecture says."""
        return self.network.cuts if isinstance(self.network, MaterialisedModule) else ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What stands in place of layers of a module's base network; empty for networks as their architecture says."""
        return self.network.operations if isinstance(self.network, MaterialisedModule) else ()


@dataclass(frozen=True, slots=True)
class CompositionSubject:
    """A composition, with what its users must know."""

    network: ComposedNetwork
    """Takes images in [0, 1], gives log-odds of the labels. Moved to the CPU by an export."""
    outputs: tuple[str, ...]
    """Meaning of the logits, in order."""
    input_spec: InputSpec
    """Mean 0 and deviation 1: the sources normalise by themselves."""
    sources: tuple[ExportSubject, ...]
    """What the network was joined from, in its order."""
    members: tuple[Member, ...]
    """Which output of which source speaks for every label."""


Exportable = ExportSubject | CompositionSubject


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Export:
    """What an export wrote, after it was loaded again and run beside the original."""

    files: tuple[ExportedFile, ...]
    max_difference: float
    """Largest absolute difference of the logits on random images."""
    measured: ExportMeasurement | None = None
    """How well files that are not float32 throughout answer; None without images to measure on."""


def classifier_of(subject: Exportable) -> ImageClassifier:
    """The subject as its users call it, on the CPU and in evaluation mode."""
    return ImageClassifier(subject.network, subject.input_spec, subject.outputs).to("cpu").eval()


def write_description(
    folder: Path,
    subject: Exportable,
    program: str,
    shared: Mapping[str, str] | None = None,
    form: ExportForm = EXACT,
    measured: ExportMeasurement | None = None,
    operations: Mapping[str, Any] | None = None,
) -> ExportedFile:
    """Writes `module.json`, which says how the file `program` is used, what it computes and what it comes from.

    Args:
        folder: An existing folder.
        subject: What was exported.
        program: Name of its file.
        shared: Names of tensors that the file has under another name, to that name.
        form: How it keeps its weights, and what it computes with.
        measured: How well it answers, where that is not what the network answers.
        operations: Every operation (`program_of`), where the file itself has none.
    """
    described = {**_description(subject, program, shared or {}), **_described_form(form, measured)}
    described["computation"] = _computation(subject, operations)
    path = folder / DESCRIPTION_FILE
    path.write_text(json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return ExportedFile(DESCRIPTION_FILE, path)


def _computation(subject: Exportable, operations: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is computed, from the file of a picture to probabilities."""
    if isinstance(subject, CompositionSubject):
        sources = [
            model_steps(source.network, source.input_spec, source.architecture.builder, f"sources.{place}.network.")
            for place, source in enumerate(subject.sources)
        ]
        steps = composition_steps(sources, subject.members, subject.outputs)
    else:
        steps = model_steps(subject.network, subject.input_spec, subject.architecture.builder)
    described = described_computation(subject.input_spec.shape, steps)
    return described if operations is None else {**described, "program": dict(operations)}


def _described_form(form: ExportForm, measured: ExportMeasurement | None) -> dict[str, Any]:
    """What files of another form than float32 say of themselves."""
    if form.exact:
        return {}
    described: dict[str, Any] = {"weights": form.weights, "compute": form.compute}
    if measured is not None:
        described["measured"] = dataclasses.asdict(measured)
        del described["measured"]["latencies"]  # of this machine, at this moment: the file is the same anywhere
    return described


def _description(subject: Exportable, program: str, shared: Mapping[str, str]) -> dict[str, Any]:
    spec = subject.input_spec
    sources = subject.sources if isinstance(subject, CompositionSubject) else (subject,)
    operating = any(source.operations for source in sources)
    return {
        "format": FORMAT,
        "format_version": OPERATING_VERSION if operating else FORMAT_VERSION,
        "file": program,
        "input": {
            "name": INPUT_NAME,
            "dtype": "float32",
            "shape": ["n", *spec.shape],
            "axes": ["image", "channel", "row", "column"],
            "range": [0.0, 1.0],
        },
        "normalisation": {
            "mean": list(spec.means),
            "std": list(spec.deviations),
            "note": "(image - mean) / std per channel; programs and load_exported do this themselves",
        },
        "output": {
            "name": OUTPUT_NAME,
            "dtype": "float32",
            "shape": ["n", len(subject.outputs)],
            "labels": list(subject.outputs),
            "note": "softmax over the last axis gives probabilities",
        },
        **(_parts(subject) if isinstance(subject, CompositionSubject) else _origin(subject)),
        **({"shared_tensors": dict(shared)} if shared or isinstance(subject, CompositionSubject) else {}),
    }


def _origin(subject: ExportSubject) -> dict[str, Any]:
    """What a model or module comes from."""
    return {
        "kind": "model" if subject.problem is None else "module",
        "problem": None if subject.problem is None else json.loads(problem_to_json(subject.problem)),
        "base": {
            "architecture": {
                "builder": subject.architecture.builder,
                "parameters": dict(subject.architecture.parameters),
            },
            "label_count": subject.label_count,
            "weights_digest": subject.weights_digest,
        },
        "head": _described_head(subject.network),
        "widths": {
            layer: {"inputs": inputs, "outputs": outputs}
            for layer, (inputs, outputs) in widths_of(subject.cuts).items()
        },
        **({"operations": [_described(operation) for operation in subject.operations]} if subject.operations else {}),
    }


def _described(operation: Operation) -> dict[str, Any]:
    if isinstance(operation, Projection):
        sizes = {"inputs": operation.inputs, "outputs": operation.outputs, "stride": operation.stride}
        return {"layer": operation.layer, "projection": sizes}
    return {"layer": operation.layer, "bypass": {}}


def _described_head(network: nn.Module) -> list[int] | dict[str, Any]:
    """Number of outputs of every layer of a module's head, or which log-odds it gives; no layer for a model."""
    if not isinstance(network, MaterialisedModule):
        return []
    if isinstance(network.head, LogOdds):
        return {"log_odds": {"columns": list(network.head.columns), "rest": network.head.rest}}
    return [layer.out_features for layer in network.head.modules() if isinstance(layer, nn.Linear)]


def _parts(subject: CompositionSubject) -> dict[str, Any]:
    """What a composition was joined from, and how."""
    return {
        "kind": "composition",
        "sources": [
            {
                **_origin(source),
                "labels": list(source.outputs),
                "mean": list(source.input_spec.means),
                "std": list(source.input_spec.deviations),
            }
            for source in subject.sources
        ],
        "members": [
            {
                "label": label,
                "source": member.source,
                "output": member.readout.column,
                "rest": member.readout.rest,
                **({"outside": True} if member.readout.outside else {}),
                "scale": member.calibration.scale,
                "bias": member.calibration.bias,
            }
            for label, member in zip(subject.outputs, subject.members, strict=True)
        ],
    }
