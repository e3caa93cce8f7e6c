"""What version 3 of a module's artifact may have beside masks, from the metadata of its file alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from modelfoundry.errors import MalformedFile
from modelfoundry.names import shortened
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile
from modelfoundry.registry.records.tables import ModelRow
from modelfoundry.values.problems import MultiClassProblem, Problem, resolve

FIELD: Final = "module.artifact"
_HINT: Final = "upload what the decomposer wrote"
_STORED_TYPES: Final = frozenset({"F16", "F32"})

Expected = tuple[str, tuple[int, ...] | None]
"""Element type and shape of a tensor; None for one axis of any extent."""
Shapes = Mapping[str, list[int]]


def malformed(what: str) -> MalformedFile:
    """Why an artifact is none."""
    return MalformedFile(f"{FIELD} is no module artifact: {what}", field=f"{FIELD}.digest", hint=_HINT)


def json_of(metadata: Mapping[str, str], key: str) -> Any:
    """What stands in the metadata as JSON.

    Raises:
        MalformedFile: it is none.
    """
    try:
        return json.loads(metadata.get(key, ""))
    except (ValueError, RecursionError):
        raise malformed(f"its {key} is not JSON") from None


def linear_head(file: SafetensorsFile, depth: int, outputs: int, labels: int) -> dict[str, Expected]:
    """Tensors of a head of so many linear layers; the widths between them are those of its biases."""
    if depth == 1:
        return {"head.weight": ("F32", (outputs, labels)), "head.bias": ("F32", (outputs,))}
    head: dict[str, Expected] = {}
    inputs = labels
    for place in range(depth):
        width = outputs if place == depth - 1 else _width(file, f"head.{place}.bias")
        head |= {f"head.{place}.weight": ("F32", (width, inputs)), f"head.{place}.bias": ("F32", (width,))}
        inputs = width
    return head


def described_head(file: SafetensorsFile, base: ModelRow, problem: Problem) -> dict[str, Expected]:
    """Tensors of the head that the metadata describes.

    Raises:
        MalformedFile: it describes none, or one of other labels than the problem's.
    """
    match json_of(file.metadata, "head"):
        case {"linear": {"layers": int(depth)}} if 1 <= depth <= len(file.tensors):
            return linear_head(file, depth, len(problem.outputs), len(base.labels))
        case {"log_odds": {} as stated}:
            columns = list(resolve(problem, base.labels))
            rest = not isinstance(problem, MultiClassProblem)
            if stated != {"labels": len(base.labels), "columns": columns, "rest": rest}:
                raise malformed("its head compares other labels than those of the problem with the rest")
            return {f"head.{part}": ("F32", (len(columns),)) for part in ("scale", "bias")}
        case _:
            raise malformed("its head is neither linear nor log-odds")


def shapes_of(base: ModelRow, metadata: Mapping[str, str]) -> dict[str, list[int]]:
    """Names and shapes of the base's tensors after something took the place of layers, as files of version 4 say.

    Raises:
        MalformedFile: the list is none, names a layer twice, or puts a convolution in the place of weights.
    """
    shapes = {name: list(shape) for name, _, shape in base.tensors}
    stated = json_of(metadata, "operations") if "operations" in metadata else []
    if not isinstance(stated, list):
        raise malformed("its operations are no list of layers and what takes their place")
    seen: set[str] = set()
    for entry in stated:
        match entry:
            case [str(layer), {"projection": [int(inputs), int(outputs), int(stride)]}] if (
                layer not in seen
                and min(inputs, outputs, stride) > 0
                and not any(name.startswith(f"{layer}.") for name in shapes)
            ):
                shapes[f"{layer}.weight"] = [outputs, inputs, 1, 1]
            case [str(layer), {"bypass": {}}] if layer and layer not in seen:
                shapes = {name: shape for name, shape in shapes.items() if not name.startswith(f"{layer}.")}
            case _:
                raise malformed(f"its operations have the entry {shortened(json.dumps(entry, allow_nan=False))}")
        seen.add(layer)
    return shapes


def cut_layers(metadata: Mapping[str, str], shapes: Shapes) -> frozenset[str]:
    """Layers and bare parameters that lose channels.

    Raises:
        MalformedFile: the list is none, or names what the base does not have.
    """
    stated = json_of(metadata, "cuts")
    known = {each for name in shapes for each in (name, name.rpartition(".")[0])}
    if not isinstance(stated, list):
        raise malformed("its cuts are no list of layers")
    for entry in stated:
        match entry:
            case [str(layer), int() | None, int() | None] if layer in known:
                pass
            case _:
                raise malformed(f"its cuts have the entry {shortened(json.dumps(entry, allow_nan=False))}")
    return frozenset(layer for layer, _, _ in stated)


def rewritten_tensors(metadata: Mapping[str, str]) -> tuple[list[list[Any]], dict[str, Expected]]:
    """Names and shapes of the tensors that are rewritten, and the file's tensors that hold them.

    Raises:
        MalformedFile: the list is none.
    """
    stated = json_of(metadata, "rewritten")
    if not isinstance(stated, list):
        raise malformed("its rewritten tensors are no list of names, shapes and types")
    counts: dict[str, int] = {}
    for entry in stated:
        match entry:
            case [str(), [*shape], str(dtype)] if dtype in _STORED_TYPES and all(type(each) is int for each in shape):
                counts[dtype] = counts.get(dtype, 0) + math.prod(shape)
            case _:
                raise malformed(f"its rewritten tensors have the entry {shortened(json.dumps(entry, allow_nan=False))}")
    expected: dict[str, Expected] = {f"rewritten.{dtype}": (dtype, (count,)) for dtype, count in counts.items()}
    return [[name, shape] for name, shape, _ in stated], expected


def fits(name: str, shape: list[int], shapes: Shapes, cut: frozenset[str]) -> bool:
    """Whether a base of these shapes has a tensor of that name and shape; one of a layer that is cut may be smaller."""
    own = shapes.get(name)
    if own is None or len(own) != len(shape):
        return False
    if name in cut or name.rpartition(".")[0] in cut:
        return all(type(here) is int and 0 < here <= there for here, there in zip(shape, own, strict=True))
    return own == shape


def _width(file: SafetensorsFile, bias: str) -> int:
    tensor = file.tensor(bias)
    return tensor.shape[0] if tensor is not None and len(tensor.shape) == 1 else 1
