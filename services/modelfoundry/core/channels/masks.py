"""Between masks of channels and masks of weights."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from modelfoundry.core.channels.cuts import KeptChannels, plan_cuts
from modelfoundry.core.channels.groups import ChannelGroup, ChannelMasks, ChannelPlan, Units
from modelfoundry.core.masking import WeightMasks, maskable_layers


def kernel_weight_masks(network: nn.Module, plan: ChannelPlan, masks: ChannelMasks) -> WeightMasks:
    """The same masks over weights: what a module stores, and what every other part works with.

    Args:
        network: Whose plan it is; untouched.
        plan: Its channels.
        masks: Of groups of the plan.

    Returns:
        Masks of all maskable parameters. Units that are not alive have False in the rows and biases of their producers
        (and depthwise convolutions) and in the columns of their consumers; all else is True.

    Raises:
        ValueError: see `plan_cuts`.
    """
    layers = dict(network.named_modules())
    cuts = {cut.layer: cut for cut in plan_cuts(plan, masks)}
    bits: dict[str, Tensor] = {}
    for maskable in maskable_layers(network):
        for name in maskable.parameter_names:
            bits[name] = torch.ones(network.get_parameter(name).shape, dtype=torch.bool)
        cut = cuts.get(maskable.name)
        if cut is None:
            continue
        layer = layers[maskable.name]
        inputs, outputs = _widths(layer)
        rows = _stays(cut.outputs, outputs)
        bits[maskable.weight_name] &= _weight_bits(layer, _stays(cut.inputs, inputs), rows)
        if maskable.bias_name is not None:
            bits[maskable.bias_name] = rows
    return WeightMasks(bits)


def live_units(network: nn.Module, plan: ChannelPlan) -> ChannelMasks:
    """Finds the units that nothing reads, from weights that are 0.

    A unit is dead when every consumer's weights for it are 0, in those rows that are alive themselves; that is repeated
    until nothing more dies. Whether its own weights are 0 does not matter: norms make constants of zeros.

    Args:
        network: With masked weights; untouched.
        plan: Of the network without masks.

    Returns:
        Masks of all groups. Where nothing is alive, the first unit stays and the group is among `held`.
    """
    starts = dict(zip((group.name for group in plan.groups), _starts(plan.groups), strict=True))
    consumers = _numbered((group.consumers, starts[group.name]) for group in plan.groups)
    producers = _numbered((group.producers, starts[group.name]) for group in plan.groups)
    layers = dict(network.named_modules())
    alive = torch.ones(sum(group.units for group in plan.groups) + 1, dtype=torch.bool)  # the last: no unit at all
    # Layer by layer: which weights connect, the unit that each output is (-1, the last entry: none, and that is always
    # alive, like the logits), and the unit that each input is.
    reads = {}
    for name, read in consumers.items():
        written = producers.get(name, torch.full((_widths(layers[name])[1],), -1))
        # What only keeps itself alive, through the groups of one convolution, is dead.
        reads[name] = (_connections(layers[name]) & ((written[:, None] != read) | (read < 0)), written, read)
    # All begin alive and die in rounds, as many as the longest chain of layers that only feed dead ones. Two units of a
    # residual stream that read nothing but each other survive this: too many stay at times, never too few.
    while True:
        found = torch.zeros_like(alive)
        for connected, written, read in reads.values():
            found[read[(connected & alive[written][:, None]).any(0)]] = True
        found[-1] = True
        if torch.equal(found & alive, alive):
            break
        alive &= found
    return _held(plan.groups, {group.name: alive[starts[group.name] :][: group.units] for group in plan.groups})


def _held(groups: Iterable[ChannelGroup], alive: dict[str, Tensor]) -> ChannelMasks:
    held = tuple(group.name for group in groups if not bool(alive[group.name].any()))
    for name in held:
        alive[name] = torch.arange(len(alive[name])) == 0
    return ChannelMasks({name: mask.clone() for name, mask in alive.items()}, held)


def _starts(groups: Iterable[ChannelGroup]) -> list[int]:
    starts = [0]
    for group in groups:
        starts.append(starts[-1] + group.units)
    return starts[:-1]


def _numbered(mappings: Iterable[tuple[Units, int]]) -> dict[str, Tensor]:
    """Layer to the number of the unit of each of its channels among the units of all groups, -1 for none."""
    numbered: dict[str, Tensor] = {}
    for mapping, start in mappings:
        for layer, units in mapping.items():
            before = numbered.get(layer, torch.full_like(units, -1))
            numbered[layer] = torch.where(units >= 0, units + start, before)
    return numbered


def _stays(kept: KeptChannels | None, width: int) -> Tensor:
    return torch.ones(width, dtype=torch.bool) if kept is None else kept.stays


def _widths(layer: nn.Module) -> tuple[int, int]:
    """Inputs and outputs of a convolution or linear layer."""
    if isinstance(layer, _ConvNd):
        return layer.in_channels, layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    raise TypeError(f"{type(layer).__name__} has no inputs and outputs")


@singledispatch
def _weight_bits(layer: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor:  # noqa: ARG001
    """Bool of the weight's shape, True between inputs [in] and outputs [out] that stay."""
    raise TypeError(f"no rule for masking {type(layer).__name__}")


@_weight_bits.register
def _(_: nn.Linear, inputs: Tensor, outputs: Tensor) -> Tensor:
    return outputs[:, None] & inputs


@_weight_bits.register
def _(layer: _ConvNd, inputs: Tensor, outputs: Tensor) -> Tensor:
    return _grouped_bits(layer, outputs, inputs)


@_weight_bits.register
def _(layer: _ConvTransposeNd, inputs: Tensor, outputs: Tensor) -> Tensor:
    return _grouped_bits(layer, inputs, outputs)


def _grouped_bits(layer: _ConvNd, first: Tensor, second: Tensor) -> Tensor:
    """For the first two axes of the weight, of which the second counts within a group."""
    within = second.view(layer.groups, -1).repeat_interleave(len(first) // layer.groups, 0)
    bits = first[:, None] & within
    return bits.view(*bits.shape, *([1] * (layer.weight.dim() - 2))).expand(layer.weight.shape)


@singledispatch
def _connections(layer: nn.Module) -> Tensor:
    """Bool [outputs, inputs], on the CPU: whether a weight between them is not 0."""
    raise TypeError(f"no rule for reading {type(layer).__name__}")


@_connections.register
def _(layer: nn.Linear) -> Tensor:
    return layer.weight.detach().cpu() != 0


@_connections.register
def _(layer: _ConvNd) -> Tensor:
    return _ungrouped(layer)


@_connections.register
def _(layer: _ConvTransposeNd) -> Tensor:
    return _ungrouped(layer).T


def _ungrouped(layer: _ConvNd) -> Tensor:
    """The first two axes of the weight, both over all channels."""
    within = (layer.weight.detach().cpu() != 0).flatten(2).any(2)
    dense: Tensor = torch.block_diag(*within.chunk(layer.groups))  # type: ignore[no-untyped-call]
    return dense.bool()
