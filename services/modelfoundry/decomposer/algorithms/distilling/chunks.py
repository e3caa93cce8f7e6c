"""Which views are made together: chunks of the pool, the same for every label that shares it.

What the base says of a view may differ in its last bit with the views that it is computed beside. So views are computed
in chunks that depend on nothing that a label asks for, and each view is in one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

CHUNK: Final = 1024
"""Views in a chunk."""


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """Views that are computed together."""

    name: str
    """Different for chunks of other views of the same pool."""
    views: Tensor
    """int64 [n], n up to `CHUNK`."""


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """All chunks of a pool."""

    chunks: tuple[Chunk, ...]
    place: Tensor
    """Number of the chunk of every view, int32 [views]."""
    common: Tensor
    """Whether a view is one that all labels draw the others from, bool [views]."""


def lay_out(labels: Tensor, common: int, generator: torch.Generator) -> Layout:
    """Divides views: some, drawn from all, are common to all labels; the others stand label by label.

    Args:
        labels: Label numbers of the views, int64 [views].
        common: Views that are to be common, 0 or more; all of them if there are fewer.
        generator: Of the drawing.
    """
    order = torch.randperm(len(labels), generator=generator)
    # Whole chunks: their views then are the same for every number of common views.
    cut = min(len(order), -(-common // CHUNK) * CHUNK)
    rest = order[cut:]
    chunks = [Chunk(f"common {place}", views) for place, views in enumerate(torch.split(order[:cut], CHUNK)) if cut]
    for label in sorted(set(labels[rest].tolist())):
        own = rest[labels[rest] == label]
        parts = torch.split(own, CHUNK)
        chunks += [Chunk(f"label {label} behind {cut}, {place}", views) for place, views in enumerate(parts)]
    place = torch.empty(len(labels), dtype=torch.int32)
    for number, chunk in enumerate(chunks):
        place[chunk.views] = number
    is_common = torch.zeros(len(labels), dtype=torch.bool)
    is_common[order[:cut]] = True
    return Layout(tuple(chunks), place, is_common)
