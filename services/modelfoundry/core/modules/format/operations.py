"""Layers that something else takes the place of, in the file: all of it in the metadata."""

from __future__ import annotations

from typing import Any

from modelfoundry.core.channels import Bypass, Operation, Projection
from modelfoundry.core.modules.format.refusals import entries_of, malformed, text_of


def operations_text(operations: tuple[Operation, ...]) -> str:
    """What the metadata says of them."""
    return text_of([_entry(operation) for operation in operations])


def operations_of(text: str) -> tuple[Operation, ...]:
    """Reads what `operations_text` wrote.

    Raises:
        MalformedFile: it is no such list, or not written like that.
        ValueError, RecursionError: it is no JSON, or no network has such layers.
    """
    entries = entries_of(text, _is_entry, "operations are no list of layers and what takes their place")
    operations: tuple[Operation, ...] = tuple(
        Projection(layer, *what["projection"]) if "projection" in what else Bypass(layer) for layer, what in entries
    )
    if text_of([_entry(operation) for operation in operations]) != text:
        raise malformed("its operations are not described in the canonical form")
    return operations


def _entry(operation: Operation) -> list[Any]:
    if isinstance(operation, Projection):
        return [operation.layer, {"projection": [operation.inputs, operation.outputs, operation.stride]}]
    return [operation.layer, {"bypass": {}}]


def _is_entry(entry: Any) -> bool:
    match entry:
        case [str(), {"projection": [inputs, outputs, stride]}]:
            return all(type(size) is int for size in (inputs, outputs, stride))
        case [str(), {"bypass": {}}]:
            return True
    return False
