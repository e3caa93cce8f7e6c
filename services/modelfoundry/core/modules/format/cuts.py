"""Channels that were cut, in the file: layers and widths in the metadata, which channels stay in one tensor of bits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from modelfoundry.core.channels import KeptChannels, LayerCut
from modelfoundry.core.modules.format.bits import frame_of, packed_of
from modelfoundry.core.modules.format.refusals import entries_of, malformed, text_of

MOST_CHANNELS: Final = 2**20
"""Of all layers together: more than any network has; bounds the memory that a hostile file can ask for."""

Widths = list[tuple[str, int | None, int | None]]


def cuts_to_file(cuts: tuple[LayerCut, ...]) -> tuple[dict[str, Tensor], str]:
    """Tensors of the file, none where nothing is cut, and what the metadata says of them."""
    sides = [kept for cut in cuts for kept in (cut.inputs, cut.outputs) if kept is not None]
    widths = [(cut.layer, _width(cut.inputs), _width(cut.outputs)) for cut in cuts]
    if not sides:
        return {}, text_of(widths)
    flat = torch.cat([kept.stays for kept in sides])
    return {"cuts": frame_of(np.packbits(flat.numpy()).tobytes())}, text_of(widths)


def widths_of(text: str) -> Widths:
    """Layers that are cut, and how many inputs and outputs they had; None for a side that stays.

    Raises:
        MalformedFile: it is no such list, or has more channels than any network.
        ValueError, RecursionError: it is no JSON.
    """
    entries = entries_of(text, _is_entry, "cuts are no list of layers, inputs and outputs")
    widths: Widths = [(layer, inputs, outputs) for layer, inputs, outputs in entries]
    if _channels(widths) > MOST_CHANNELS:
        raise malformed(f"its cuts have more than {MOST_CHANNELS} channels")
    return widths


def cuts_from_file(tensors: Mapping[str, Tensor], widths: Widths) -> tuple[LayerCut, ...]:
    """Reads what `cuts_to_file` wrote.

    Raises:
        MalformedFile: the bits are not those of the widths.
        ValueError: a side would keep no channel.
    """
    if not widths:
        return ()
    channels = _channels(widths)
    bits = np.unpackbits(np.frombuffer(packed_of(tensors["cuts"], channels, "cuts"), dtype=np.uint8)).astype(bool)
    if bits[channels:].any():
        raise malformed("its cuts have bits behind the last channel")
    sides = [width for _, *both in widths for width in both if width is not None]
    ends = np.cumsum([0, *sides])
    kept = iter([KeptChannels.of(torch.from_numpy(bits[start:end].copy())) for start, end in pairwise(ends)])
    return tuple(
        LayerCut(layer, None if inputs is None else next(kept), None if outputs is None else next(kept))
        for layer, inputs, outputs in widths
    )


def _width(kept: KeptChannels | None) -> int | None:
    return None if kept is None else kept.width


def _channels(widths: Widths) -> int:
    return sum(width or 0 for _, *both in widths for width in both)


def _is_entry(entry: Any) -> bool:
    match entry:
        case [str(), inputs, outputs]:
            return (inputs, outputs) != (None, None) and all(
                side is None or (type(side) is int and 0 < side <= MOST_CHANNELS) for side in (inputs, outputs)
            )
    return False
