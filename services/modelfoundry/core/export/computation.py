"""What an export computes, described so that nothing but PyTorch is needed to compute it again.

Twice: `steps` are what people follow, from the file of a picture to probabilities, with the head spelled out; `program`
is every operation of the network in order, as operators of PyTorch (ATen) with their arguments, on tensors by their
names in `model.safetensors`. docs/exports.md has the twenty lines that run such a program.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from modelfoundry.core.composing import Member
from modelfoundry.core.export.tracing import traced
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.core.modules import LogOdds, MaterialisedModule
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import InputSpec

COMPUTATION_VERSION: Final = 1
MOST_CONSTANTS: Final = 2**15
"""Numbers that a program may carry beside the tensors of the file, such as the places of log-odds."""
MOST_LINES: Final = 2**12
"""Operations of a program: it stays well below the 4 MiB that descriptions may have where they are read again."""
_LOG_ODDS: Final = "scale * (z[column] - logsumexp(z of all other columns than these)) + bias"
_PYTHON: Final = {
    function: name for name in ("getitem", "add", "sub", "mul", "floordiv") if (function := getattr(operator, name))
}


def preprocessing(shape: tuple[int, int, int]) -> dict[str, Any]:
    """How the file of a picture becomes the pixels that an export takes (`modelfoundry.pictures.decoding`).

    Args:
        shape: Channels, height and width.
    """
    channels, height, width = shape
    return {
        "orientation": "turned upright as EXIF says",
        "colours": {
            1: "sRGB, then grey: 0.299 R + 0.587 G + 0.114 B; transparent parts over white",
            3: "sRGB: red, green, blue; transparent parts over white",
            4: "sRGB: red, green, blue, alpha",
        }.get(channels, "as the data set has them"),
        "resize": {
            "height": height,
            "width": width,
            "filter": "bilinear",
            "antialias": True,
            "keeps_aspect_ratio": False,
            "on": "8 bits a channel, rounded, as Pillow does it",
        },
        "scale": "divided by 255",
        "layout": "[image, channel, row, column]",
    }


def model_steps(network: nn.Module, input_spec: InputSpec, builder: str, prefix: str = "") -> list[dict[str, Any]]:
    """From an image in [0, 1] to logits.

    Args:
        network: A model, or a module with its head.
        input_spec: What it takes.
        builder: What the network is an instance of.
        prefix: What its tensors' names begin with in the file.
    """
    steps: list[dict[str, Any]] = [
        {
            "step": "normalise",
            "formula": "(image - mean) / std, channel by channel",
            "mean": list(input_spec.means),
            "std": list(input_spec.deviations),
        }
    ]
    if not isinstance(network, MaterialisedModule):
        return [*steps, {"step": "network", "builder": builder, "tensors": prefix, "gives": "logits of the outputs"}]
    base = {"step": "network", "builder": builder, "tensors": f"{prefix}network.", "gives": "z, logits of the base"}
    return [*steps, base, {"step": "head", "operations": _head(network.head, f"{prefix}head.")}]


def _head(head: nn.Module, prefix: str) -> list[dict[str, Any]]:
    """Operations on the base's logits, one after another."""
    if isinstance(head, LogOdds):
        log_odds = {
            "operation": "log_odds",
            "formula": _LOG_ODDS,
            "columns": list(head.columns),
            "scale": f"{prefix}scale",
            "bias": f"{prefix}bias",
            "note": "the bias holds the fitted threshold: the largest output decides, there is no other",
        }
        return [log_odds, {"operation": "append", "value": 0.0, "note": "the rest"}] if head.rest else [log_odds]
    operations: list[dict[str, Any]] = []
    for name, layer in head.named_modules():
        if isinstance(layer, nn.Linear):
            place = f"{prefix}{name}." if name else prefix
            operations += [
                {"operation": "relu"},
                {"operation": "linear", "weight": f"{place}weight", "bias": f"{place}bias"},
            ]
    return operations


def composition_steps(
    sources: Sequence[list[dict[str, Any]]], members: Sequence[Member], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """From an image in [0, 1] to the log-odds of every label.

    Args:
        sources: Steps of every source.
        members: What speaks for every label.
        labels: Of the composition.
    """
    return [
        {"step": "sources", "each_on": "the same images", "sources": [{"steps": steps} for steps in sources]},
        {
            "step": "members",
            "formula": "scale * (y[output] - against) + bias, with y the logits of the source; against is y[rest], "
            "or without a rest logsumexp(y of all other outputs), with one more of 0 where something is outside",
            "members": [
                {
                    "label": label,
                    "source": member.source,
                    "output": member.readout.column,
                    "rest": member.readout.rest,
                    "outside": member.readout.outside,
                    "scale": member.calibration.scale,
                    "bias": member.calibration.bias,
                }
                for label, member in zip(labels, members, strict=True)
            ],
        },
    ]


def described_computation(shape: tuple[int, int, int], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """All that people follow."""
    return {
        "version": COMPUTATION_VERSION,
        "preprocessing": preprocessing(shape),
        "steps": [*steps, {"step": "softmax", "axis": -1, "temperature": 1.0, "gives": "probabilities"}],
        "answer": "the label of the largest logit, which is the most probable; no threshold besides",
    }


def program_of(classifier: ImageClassifier, names: Mapping[str, str]) -> dict[str, Any]:
    """Every operation from images in [0, 1] to logits.

    Args:
        classifier: On the CPU, in evaluation mode.
        names: The network's tensors by name, to their names in the file.

    Returns:
        The program, or why there is none: `missing`.
    """
    try:
        program = traced(classifier)
        return _described(program, names)
    except UnsupportedModel as error:
        return {"missing": error.message}


def _described(program: ExportedProgram, names: Mapping[str, str]) -> dict[str, Any]:
    graph = program.graph
    graph.eliminate_dead_code()
    tensors: dict[str, str] = {}
    constants: dict[str, dict[str, Any]] = {}
    inputs: list[str] = []
    for spec in program.graph_signature.input_specs:
        own = getattr(spec.arg, "name", "")
        if spec.kind is InputKind.USER_INPUT:
            inputs.append(own)
        elif (stored := names.get(str(spec.target).removeprefix("network."))) is not None:
            tensors[own] = stored
        else:
            constants[own] = _constant(program, str(spec.target))
    if sum(math.prod(constant["shape"]) for constant in constants.values()) > MOST_CONSTANTS:
        raise UnsupportedModel("the network has more numbers than its weights that a description would have to carry")
    used = {node.name for node in graph.nodes if node.users}
    calls = [node for node in graph.nodes if node.op == "call_function"]
    if len(calls) > MOST_LINES:
        raise UnsupportedModel(f"the network has {len(calls):,} operations, more than a description carries")
    (output,) = [node.args[0] for node in graph.nodes if node.op == "output"]
    return {
        "operators": "torch.ops.aten, and Python's operator; {node: ...} is what a former line gave",
        "input": inputs,
        "tensors": {own: stored for own, stored in tensors.items() if own in used},
        "constants": {own: constant for own, constant in constants.items() if own in used},
        "read_as": "float32 where the file has floating point of another type",
        "lines": [_line(node) for node in calls],
        "output": _argument(output[0]),
    }


def _constant(program: ExportedProgram, target: str) -> dict[str, Any]:
    value = program.constants.get(target, program.state_dict.get(target))
    if not isinstance(value, Tensor):
        raise UnsupportedModel(f"the network uses {target}, which is no tensor")
    return {
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
        "values": [_argument(item) for item in value.flatten().tolist()],
    }


def _line(node: fx.Node) -> dict[str, Any]:
    line: dict[str, Any] = {
        "node": node.name,
        "operator": _operator(node.target),
        "arguments": [_argument(argument) for argument in node.args],
    }
    if node.kwargs:
        line["options"] = {name: _argument(value) for name, value in node.kwargs.items()}
    return line


def _operator(target: object) -> str:
    if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":  # noqa: SLF001 - torch names it nowhere else
        return f"aten.{target.__name__}"
    for function, name in _PYTHON.items():
        if target is function:
            return f"operator.{name}"
    raise UnsupportedModel(f"the network uses {target}, which is no operator of PyTorch's own")


def _argument(value: object) -> Any:  # noqa: PLR0911 - a return for every kind of value
    match value:
        case fx.Node():
            return {"node": value.name}
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case list() | tuple():
            return [_argument(item) for item in value]
        case torch.dtype():
            return {"dtype": str(value).removeprefix("torch.")}
        case torch.device():
            return {"device": value.type}
        case torch.memory_format():
            return {"memory_format": str(value).removeprefix("torch.")}
        case torch.layout():
            return {"layout": str(value).removeprefix("torch.")}
    raise UnsupportedModel(f"the network computes with {type(value).__name__}, which a description cannot carry")
