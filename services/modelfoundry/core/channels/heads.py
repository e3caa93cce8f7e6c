"""Heads of attention: each a unit of its own, rows of queries, keys and values, and columns of the projection behind.

torch-pruning's graph does not see them, because a reshape takes them apart. A layer is known by what it holds, as timm
writes it: one linear layer `qkv` for all three, `proj` behind, and the numbers `num_heads`, `head_dim` and `attn_dim`.
Whether its heads can be dropped is proven as for all other channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from modelfoundry.core.channels.groups import ChannelGroup

_NUMBERS = ("num_heads", "head_dim", "attn_dim")


def head_count(layer: object) -> int | None:
    """Number of heads of a layer whose heads can be dropped; None for other layers."""
    if not has_heads(layer):
        return None
    known = cast("Any", layer)
    qkv, proj = getattr(known, "qkv", None), getattr(known, "proj", None)
    whole = isinstance(qkv, nn.Linear) and isinstance(proj, nn.Linear) and _fits(known, qkv, proj)
    return int(known.num_heads) if whole else None


def has_heads(layer: object) -> bool:
    """Whether a layer counts its heads, cut ones too."""
    numbers = [getattr(layer, name, None) for name in _NUMBERS]
    return isinstance(layer, nn.Module) and all(type(number) is int for number in numbers)


def _fits(layer: Any, qkv: nn.Linear, proj: nn.Linear) -> bool:
    width: int = layer.num_heads * layer.head_dim
    return layer.num_heads > 0 and width == layer.attn_dim == proj.in_features and qkv.out_features == 3 * width


def keep_heads(layer: nn.Module, kept: Tensor) -> None:
    """Tells a layer how many heads it has left; its linear layers are cut as all others.

    Args:
        layer: One that `has_heads`.
        kept: int64, heads that stay.
    """
    known = cast("Any", layer)
    known.num_heads = len(kept)
    known.attn_dim = len(kept) * known.head_dim


def head_groups(network: nn.Module) -> Iterator[ChannelGroup]:
    """A group for the heads of every layer that has two or more, in the order of the network."""
    for name, layer in network.named_modules():
        heads = head_count(layer)
        if heads is not None and heads > 1 and name:
            each = torch.arange(heads).repeat_interleave(cast("Any", layer).head_dim)
            yield ChannelGroup(
                name=f"{name}.qkv",
                units=heads,
                producers={f"{name}.qkv": each.repeat(3)},
                carriers={name: torch.arange(heads)},
                consumers={f"{name}.proj": each},
                is_kernel=False,
            )
