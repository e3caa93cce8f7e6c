"""Checks a module's artifact against its base model, from the header and metadata of its file alone.

The format itself is described and read in full by `modelfoundry.core.modules`, which needs torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from modelfoundry.errors import FieldViolation, InvalidField, WeightsMismatch
from modelfoundry.names import shortened
from modelfoundry.registry.catalog.artifact_parts import (
    FIELD,
    Expected,
    cut_layers,
    described_head,
    fits,
    json_of,
    linear_head,
    malformed,
    rewritten_tensors,
    shapes_of,
)
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile
from modelfoundry.registry.records.tables import ModelRow
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

FORMAT: Final = "modelfoundry.module"
FORMAT_VERSION: Final = "1"
DEEP_HEAD_VERSION: Final = "2"
REWRITING_VERSION: Final = "3"
OPERATING_VERSION: Final = "4"
_REWRITING: Final = (REWRITING_VERSION, OPERATING_VERSION)
_VERSIONS: Final = (FORMAT_VERSION, DEEP_HEAD_VERSION, *_REWRITING)
MAX_VIOLATIONS: Final = 20


def check_artifact(file: SafetensorsFile, base: ModelRow, problem: Problem) -> None:
    """Checks that an artifact is a module of `base` for `problem`.

    Raises:
        MalformedFile: it is not in the module format.
        InvalidField: it belongs to other base weights or another problem.
        WeightsMismatch: its masks or rewritten tensors are such as the base lacks or has in another shape.
    """
    metadata = file.metadata
    if metadata.get("format") != FORMAT:
        raise malformed(f"its format is {shortened(metadata.get('format', ''))!r}, not {FORMAT!r}")
    version = metadata.get("format_version", "")
    if version not in _VERSIONS:
        raise malformed(f"its format version is {shortened(version)!r}, not one of {', '.join(_VERSIONS)}")
    base_digest = metadata.get("base_digest", "")
    if base_digest != base.weights_digest:
        raise InvalidField(
            f"{FIELD} belongs to weights {shortened(base_digest)}, {base.name} has {base.weights_digest}",
            field=f"{FIELD}.digest",
            hint="name the model that it was made from",
        )
    if json_of(metadata, "problem") != _problem_json(problem):
        raise InvalidField(
            f"{FIELD} solves another problem: {shortened(metadata.get('problem', ''))}",
            field="module.problem",
            hint="pass the problem that it was made for",
        )
    head, more = _described(file, version, base, problem)
    layout = json_of(metadata, "layout")
    masks: dict[str, Expected] = {"masks": ("U8", None)} if layout or version not in _REWRITING else {}
    _check_tensors(file, {**masks, **head, **more.tensors})
    _check_shapes(_checked_layout(layout, may_be_empty=version in _REWRITING), base, more, "masked")
    _check_shapes(more.rewritten, base, more, "rewritten")


@dataclass(frozen=True, slots=True)
class _More:
    """What a file has beside masks and head."""

    shapes: Mapping[str, list[int]]
    """Of the base's tensors, after something took the place of layers."""

    tensors: Mapping[str, Expected] = field(default_factory=dict)
    rewritten: list[list[Any]] = field(default_factory=list)
    """Names and shapes."""
    cut: frozenset[str] = frozenset()
    """Layers that lose channels."""


def _described(
    file: SafetensorsFile, version: str, base: ModelRow, problem: Problem
) -> tuple[dict[str, Expected], _More]:
    shapes = shapes_of(base, file.metadata if version == OPERATING_VERSION else {})
    if version in _REWRITING:
        rewritten, tensors = rewritten_tensors(file.metadata)
        cut = cut_layers(file.metadata, shapes)
        if cut:
            tensors["cuts"] = ("U8", None)
        return described_head(file, base, problem), _More(shapes, tensors, rewritten, cut)
    depth = 1 if version == FORMAT_VERSION else max(2, (len(file.tensors) - 1) // 2)
    return linear_head(file, depth, len(problem.outputs), len(base.labels)), _More(shapes)


def _problem_json(problem: Problem) -> object:
    match problem:
        case BinaryProblem(label):
            return {"binary": {"label": label}}
        case MultiClassProblem(labels):
            return {"multi_class": {"labels": list(labels)}}
        case OpenSetProblem(labels):
            return {"open_set": {"labels": list(labels)}}


def _check_tensors(file: SafetensorsFile, expected: Mapping[str, Expected]) -> None:
    for tensor in file.tensors:
        if tensor.name not in expected:
            raise malformed(f"it has a tensor {shortened(tensor.name)!r} that no module has")
    for name, (dtype, shape) in expected.items():
        tensor_or_none = file.tensor(name)
        if tensor_or_none is None:
            raise malformed(f"it has no tensor {name!r}")
        fits = len(tensor_or_none.shape) == 1 if shape is None else tensor_or_none.shape == shape
        if tensor_or_none.dtype != dtype or not fits:
            wanted = "[bytes]" if shape is None else list(shape)
            found = f"{tensor_or_none.dtype} {list(tensor_or_none.shape)}"
            raise malformed(f"{name} is {found}, not {dtype} {wanted}")


def _checked_layout(layout: Any, *, may_be_empty: bool) -> list[list[Any]]:
    """Names and shapes of the masks, each name once."""
    if not isinstance(layout, list) or not (layout or may_be_empty):
        raise malformed("its layout is no list of parameter names and shapes")
    seen: set[str] = set()
    for entry in layout:
        match entry:
            case [str(name), list()] if name not in seen:
                seen.add(name)
            case _:
                raise malformed(f"its layout has the entry {shortened(json.dumps(entry, allow_nan=False))}")
    return layout


def _check_shapes(entries: list[list[Any]], base: ModelRow, more: _More, what: str) -> None:
    shapes = more.shapes
    violations = [
        FieldViolation(
            f"{FIELD}.digest",
            f"{shortened(name)}: {what} as {shortened(str(shape))}, in the base it "
            + (f"has the shape {shapes[name]}" if name in shapes else "is not there"),
        )
        for name, shape in entries
        if not fits(name, shape, shapes, more.cut)
    ]
    if violations:
        raise WeightsMismatch(
            f"{FIELD} does not fit {base.name} in {len(violations)} parameters, first {violations[0].description}",
            field=f"{FIELD}.digest",
            hint="name the model that it was made from",
            violations=tuple(violations[:MAX_VIOLATIONS]),
        )
