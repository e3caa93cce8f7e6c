"""Checks a module's artifact against its base model, from the header and metadata of its file alone.

The format itself is described and read in full by `modelfoundry.core.modules`, which needs torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from modelfoundry.errors import FieldViolation, InvalidField, MalformedFile, WeightsMismatch
from modelfoundry.names import shortened
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile
from modelfoundry.registry.catalog.tables import ModelRow
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

FORMAT: Final = "modelfoundry.module"
FORMAT_VERSION: Final = "1"
DEEP_HEAD_VERSION: Final = "2"
MAX_VIOLATIONS: Final = 20
_FIELD: Final = "module.artifact"
_HINT: Final = "upload what the decomposer wrote"

Expected = tuple[str, tuple[int, ...] | None]
"""Element type and shape of a tensor; None for one axis of any extent."""


def check_artifact(file: SafetensorsFile, base: ModelRow, problem: Problem) -> None:
    """Checks that an artifact is a module of `base` for `problem`.

    Raises:
        MalformedFile: it is not in the module format.
        InvalidField: it belongs to other base weights or another problem.
        WeightsMismatch: its masks name parameters that the base lacks or has in another shape.
    """
    metadata = file.metadata
    if metadata.get("format") != FORMAT:
        raise _malformed(f"its format is {shortened(metadata.get('format', ''))!r}, not {FORMAT!r}")
    version = metadata.get("format_version", "")
    if version not in {FORMAT_VERSION, DEEP_HEAD_VERSION}:
        raise _malformed(
            f"its format version is {shortened(version)!r}, not {FORMAT_VERSION!r} or {DEEP_HEAD_VERSION!r}"
        )
    base_digest = metadata.get("base_digest", "")
    if base_digest != base.weights_digest:
        raise InvalidField(
            f"{_FIELD} belongs to weights {shortened(base_digest)}, {base.name} has {base.weights_digest}",
            field=f"{_FIELD}.digest",
            hint="name the model that it was made from",
        )
    if _json(metadata, "problem") != _problem_json(problem):
        raise InvalidField(
            f"{_FIELD} solves another problem: {shortened(metadata.get('problem', ''))}",
            field="module.problem",
            hint="pass the problem that it was made for",
        )
    _check_tensors(file, _expected_tensors(file, version, len(problem.outputs), len(base.labels)))
    _check_layout(_json(metadata, "layout"), base)


def _problem_json(problem: Problem) -> object:
    match problem:
        case BinaryProblem(label):
            return {"binary": {"label": label}}
        case MultiClassProblem(labels):
            return {"multi_class": {"labels": list(labels)}}
        case OpenSetProblem(labels):
            return {"open_set": {"labels": list(labels)}}


def _expected_tensors(file: SafetensorsFile, version: str, outputs: int, labels: int) -> Mapping[str, Expected]:
    if version == FORMAT_VERSION:
        head: dict[str, Expected] = {"head.weight": ("F32", (outputs, labels)), "head.bias": ("F32", (outputs,))}
    else:
        head = {}
        depth = max(2, (len(file.tensors) - 1) // 2)
        inputs = labels
        for place in range(depth):
            width = outputs if place == depth - 1 else _width(file, f"head.{place}.bias")
            head |= {f"head.{place}.weight": ("F32", (width, inputs)), f"head.{place}.bias": ("F32", (width,))}
            inputs = width
    return {"masks": ("U8", None), **head}


def _width(file: SafetensorsFile, bias: str) -> int:
    tensor = file.tensor(bias)
    return tensor.shape[0] if tensor is not None and len(tensor.shape) == 1 else 1


def _check_tensors(file: SafetensorsFile, expected: Mapping[str, Expected]) -> None:
    for tensor in file.tensors:
        if tensor.name not in expected:
            raise _malformed(f"it has a tensor {shortened(tensor.name)!r} that no module has")
    for name, (dtype, shape) in expected.items():
        tensor_or_none = file.tensor(name)
        if tensor_or_none is None:
            raise _malformed(f"it has no tensor {name!r}")
        fits = len(tensor_or_none.shape) == 1 if shape is None else tensor_or_none.shape == shape
        if tensor_or_none.dtype != dtype or not fits:
            wanted = "[bytes]" if shape is None else list(shape)
            found = f"{tensor_or_none.dtype} {list(tensor_or_none.shape)}"
            raise _malformed(f"{name} is {found}, not {dtype} {wanted}")


def _check_layout(layout: object, base: ModelRow) -> None:
    if not isinstance(layout, list) or not layout:
        raise _malformed("its layout is no list of parameter names and shapes")
    shapes = {name: list(shape) for name, _, shape in base.tensors}
    violations: list[FieldViolation] = []
    seen: set[str] = set()
    for entry in layout:
        match entry:
            case [str(name), list(shape)] if name not in seen:
                seen.add(name)
            case _:
                raise _malformed(f"its layout has the entry {shortened(json.dumps(entry))}")
        if shapes.get(name) != shape:
            there = f"has the shape {shapes[name]}" if name in shapes else "is not there"
            violations.append(
                FieldViolation(
                    f"{_FIELD}.digest", f"{shortened(name)}: masked as {shortened(str(shape))}, in the base it {there}"
                )
            )
    if violations:
        raise WeightsMismatch(
            f"{_FIELD} does not fit {base.name} in {len(violations)} parameters, first {violations[0].description}",
            field=f"{_FIELD}.digest",
            hint="name the model that it was made from",
            violations=tuple(violations[:MAX_VIOLATIONS]),
        )


def _json(metadata: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(metadata.get(key, ""))
    except (ValueError, RecursionError):
        raise _malformed(f"its {key} is not JSON") from None


def _malformed(what: str) -> MalformedFile:
    return MalformedFile(f"{_FIELD} is no module artifact: {what}", field=f"{_FIELD}.digest", hint=_HINT)
