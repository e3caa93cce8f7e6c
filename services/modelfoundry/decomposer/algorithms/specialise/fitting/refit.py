"""Least squares behind a cut, layer by layer in the order of the network (after He et al., ICCV 2017).

A layer that lost inputs gets the weights with which it answers as nearly as it can as the network before the cut did,
from what the layers before it give now. The last layer of a residual block makes up for its shortcut, too: it is fitted
to the stream behind the block, and behind the blocks after it that were left out, less what the shortcut gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelfoundry.core.channels import LayerCut
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.specialise.fitting.flow import Block, Flow, flow_of, inputs_at
from modelfoundry.decomposer.algorithms.specialise.fitting.layers import (
    Fitted,
    places_of,
    ridge_weights,
    rows_read,
    rows_written,
    write_weights,
)

PLACES: Final = 48
"""Of every image and layer: more are much alike."""


@torch.no_grad()
def refit(
    network: nn.Module, reference: nn.Module, cuts: tuple[LayerCut, ...], images: Tensor, monitor: Monitor
) -> None:
    """Fits all layers of a cut network, in place.

    Args:
        network: Without channels, and perhaps without blocks, of the reference; in evaluation mode.
        reference: What it was cut out of, in evaluation mode.
        cuts: Which channels were taken from the reference.
        images: Normalised, float32 [n, channels, height, width], on the CPU.
        monitor: Asked between layers whether to go on.

    Raises:
        Cancelled: the monitor says so.
    """
    before, now = flow_of(reference, images), flow_of(network, images)
    outputs = {cut.layer: torch.tensor(cut.outputs.kept) for cut in cuts if cut.outputs is not None}
    ends = {block.end: block for block in now.blocks}
    streams = _streams(before, now)
    generator = torch.Generator().manual_seed(0)
    for name in _order(now):
        monitor.check_cancelled()
        wanted = streams[name] if name in streams else before.answers[name]
        if name in outputs:
            wanted = wanted.index_select(_channel_axis(wanted), outputs[name])
        _fit(network, now, name, ends.get(name), wanted, images, generator)


def _order(flow: Flow) -> tuple[str, ...]:
    """Layers in order, but shortcuts before the ends of their blocks, which make up for them."""
    order = list(flow.layers)
    for block in flow.blocks:
        beside = [name for name in order if block.shortcut and f"{name}.".startswith(f"{block.shortcut}.")]
        if beside and order.index(beside[-1]) > order.index(block.end):
            order.remove(block.end)
            order.insert(order.index(beside[-1]) + 1, block.end)
    return tuple(order)


def _streams(before: Flow, now: Flow) -> Mapping[str, Tensor]:
    """Last layers of blocks, and layers before blocks that were left out, to the sum that stands behind."""
    there = {block.name for block in now.blocks}
    wanted = {block.end: before.sums[block.name] for block in now.blocks if block.name in before.sums}
    beside = tuple(f"{block.shortcut}." for block in before.blocks if block.shortcut)
    left = set(now.layers)
    for block in before.blocks:
        if block.name not in there and block.end not in left:
            earlier = [
                name
                for name in before.layers[: before.begins[block.name]]
                if name in left and not f"{name}.".startswith(beside)
            ]
            if earlier and before.answers[earlier[-1]].shape == before.sums[block.name].shape:
                wanted[earlier[-1]] = before.sums[block.name]
    return wanted


def _fit(
    network: nn.Module,
    flow: Flow,
    name: str,
    block: Block | None,
    wanted: Tensor,
    images: Tensor,
    generator: torch.Generator,
) -> None:
    layer = cast("Fitted", network.get_submodule(name))
    norm = cast("_BatchNorm", network.get_submodule(flow.norms[name])) if name in flow.norms else None
    read = inputs_at(network, images, [name] if block is None else [name, block.name])
    if block is not None:
        passed = read[block.name]
        wanted = wanted - (network.get_submodule(block.shortcut)(passed) if block.shortcut else passed)
    places = places_of(wanted.shape, PLACES, generator)
    rows = rows_read(layer, read[name], wanted.shape[-1], places)
    inherited = layer.weight.reshape(len(layer.weight), -1)
    if norm is not None and norm.running_var is not None:
        inherited = inherited * (norm.weight / (norm.running_var + norm.eps).sqrt())[:, None]
    bias = norm is not None or layer.bias is not None
    write_weights(layer, norm, ridge_weights(rows, rows_written(wanted, places), inherited, bias=bias), rows)


def _channel_axis(outputs: Tensor) -> int:
    return 1 if outputs.dim() == 4 else outputs.dim() - 1
