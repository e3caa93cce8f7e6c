"""Rewritten tensors in the file: names, shapes and types in the metadata, all numbers of one type in one tensor.

A tensor each would cost more bytes in the header than most of them have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor

from modelfoundry.core.modules.format.masks import is_shape
from modelfoundry.core.modules.format.refusals import entries_of, malformed, text_of
from modelfoundry.core.modules.rewriting import STORED_TYPES, RewrittenTensors

Description = list[tuple[str, tuple[int, ...], str]]
_STORED: Final = {spelling: dtype for dtype, spelling in STORED_TYPES.items()}


def rewritten_to_file(rewritten: RewrittenTensors) -> tuple[dict[str, Tensor], str]:
    """Tensors of the file, one for each type that there is, and what the metadata says of them."""
    parts: dict[str, list[Tensor]] = {}
    for tensor in rewritten.tensors.values():
        parts.setdefault(STORED_TYPES[tensor.dtype], []).append(tensor.detach().cpu().reshape(-1))
    entries = [(name, tuple(each.shape), STORED_TYPES[each.dtype]) for name, each in rewritten.tensors.items()]
    return {f"rewritten.{spelling}": torch.cat(values) for spelling, values in parts.items()}, text_of(entries)


def description_of(text: str) -> Description:
    """Names, shapes and types of the tensors.

    Raises:
        MalformedFile: it is no such list, or not in the order of the names.
        ValueError, RecursionError: it is no JSON.
    """
    entries = entries_of(text, _is_entry, "rewritten tensors are no list of names, shapes and types")
    if not all(before[0] < entry[0] for before, entry in pairwise(entries)):
        raise malformed("its rewritten tensors are not in the order of their names, each once")
    return [(name, tuple(shape), spelling) for name, shape, spelling in entries]


def names_of(description: Description) -> set[str]:
    """Names of the file's tensors."""
    return {f"rewritten.{spelling}" for _, _, spelling in description}


def rewritten_from_file(tensors: Mapping[str, Tensor], description: Description) -> RewrittenTensors:
    """Reads what `rewritten_to_file` wrote.

    Raises:
        MalformedFile: a tensor of the file has another type or number of entries than the description says.
        ValueError: a number is NaN or infinity.
    """
    found: dict[str, Tensor] = {}
    for name in names_of(description):
        spelling = name.rpartition(".")[2]
        part = [(each, shape) for each, shape, own in description if own == spelling]
        sizes = [math.prod(shape) for _, shape in part]
        values = tensors[name]
        if values.dtype != _STORED[spelling] or values.shape != (sum(sizes),):
            raise malformed(
                f"{name} is {values.dtype} {tuple(values.shape)}, its description needs {sum(sizes)} of {spelling}"
            )
        for (each, shape), value in zip(part, torch.split(values, sizes), strict=True):
            found[each] = value.view(shape)
    return RewrittenTensors(found)


def _is_entry(entry: Any) -> bool:
    match entry:
        case [str(), shape, str(spelling)]:
            return is_shape(shape) and spelling in _STORED
    return False
