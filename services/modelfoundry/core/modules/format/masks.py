"""Masks in the file: names and shapes in the metadata, all bits in one tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.format.bits import frame_of, packed_of
from modelfoundry.core.modules.format.refusals import entries_of, malformed, text_of
from modelfoundry.core.modules.rewriting import MOST_AXES

MOST_ENTRIES: Final = 2**31
"""More than any network of the builders has; bounds the memory that a hostile file can ask for."""

Layout = list[tuple[str, tuple[int, ...]]]


def masks_to_file(masks: WeightMasks) -> tuple[dict[str, Tensor], str]:
    """Tensors of the file, none where there is no mask, and the layout."""
    tensors = {"masks": frame_of(masks.packed())} if masks.bits else {}
    return tensors, text_of(masks.layout)


def masks_from_file(tensors: Mapping[str, Tensor], layout: Layout) -> WeightMasks:
    """Reads what `masks_to_file` wrote.

    Raises:
        MalformedFile: the bits are not those of the layout.
    """
    if not layout:
        return WeightMasks({})
    entries = sum(math.prod(shape) for _, shape in layout)
    return WeightMasks.from_packed(packed_of(tensors["masks"], entries, "masks"), layout)


def layout_of(text: str) -> Layout:
    """Names and shapes of the masks.

    Raises:
        MalformedFile: it is no layout, or one of more entries than any network has.
        ValueError, RecursionError: it is no JSON.
    """
    entries = entries_of(text, _is_entry, "layout is no list of parameter names and shapes")
    layout: Layout = [(name, tuple(shape)) for name, shape in entries]
    if len({name for name, _ in layout}) != len(layout):
        raise malformed("its layout names a parameter twice")
    if sum(math.prod(shape) for _, shape in layout) > MOST_ENTRIES:
        raise malformed(f"its layout has more than {MOST_ENTRIES} mask entries")
    return layout


def _is_entry(entry: Any) -> bool:
    match entry:
        case [str(), shape]:
            return is_shape(shape)
    return False


def is_shape(shape: Any) -> bool:
    """Whether it is a list of whole numbers that can be the shape of a tensor with entries."""
    return (
        isinstance(shape, list)
        and len(shape) <= MOST_AXES
        and all(type(extent) is int and 0 < extent <= MOST_ENTRIES for extent in shape)
    )
