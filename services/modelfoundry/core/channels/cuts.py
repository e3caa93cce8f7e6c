"""Plan, then cut: which channels every layer keeps, and the smaller network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from modelfoundry.core.channels.groups import ChannelMasks, ChannelPlan, Units
from modelfoundry.core.channels.heads import has_heads, keep_heads
from modelfoundry.core.channels.tracing import channel_axis, is_depthwise

Widths = tuple[int | None, int | None]
"""Inputs and outputs of a layer; None for those that the architecture says."""
_MOST_CHANNELS: Final = 2**20
"""More than any layer has; bounds the memory that a hostile file can ask for."""


@dataclass(frozen=True, slots=True)
class KeptChannels:
    """Channels that one side of a layer keeps.

    Raises:
        ValueError: they are not sorted, unique and in [0, width), or there are none.
    """

    width: int
    """Number of channels before."""
    kept: tuple[int, ...]

    def __post_init__(self) -> None:
        in_order = list(self.kept) == sorted(set(self.kept))
        if not self.kept or not in_order or not 0 <= self.kept[0] <= self.kept[-1] < self.width:
            raise ValueError(f"need sorted, unique channels in [0, {self.width}), got {self.kept}")

    @classmethod
    def of(cls, stays: Tensor) -> KeptChannels:
        """Those that are True in a bool tensor [width]."""
        return cls(len(stays), tuple(stays.nonzero().flatten().tolist()))

    @property
    def stays(self) -> Tensor:
        """Bool [width], True for those that are kept."""
        stays = torch.zeros(self.width, dtype=torch.bool)
        stays[list(self.kept)] = True
        return stays

    def __str__(self) -> str:
        return f"{len(self.kept)} of {self.width}"


@dataclass(frozen=True, slots=True)
class LayerCut:
    """What one layer keeps, in the channels of the network before any cut."""

    layer: str
    """Name of a layer or of a bare parameter."""
    inputs: KeptChannels | None
    """None for all."""
    outputs: KeptChannels | None
    """None for all. The only side of norms, depthwise convolutions and parameters, and of attention, whose heads they
    are."""

    def __str__(self) -> str:
        sides = (("inputs", self.inputs), ("outputs", self.outputs))
        return f"{self.layer}: " + ", ".join(f"{side} {kept}" for side, kept in sides if kept is not None)


def plan_cuts(plan: ChannelPlan, masks: ChannelMasks) -> tuple[LayerCut, ...]:
    """What every layer keeps when the units that are not alive go.

    Args:
        plan: Of the network.
        masks: Of groups of the plan.

    Returns:
        One cut for each layer that loses channels.

    Raises:
        ValueError: a mask belongs to no group of the plan, or has another number of units.
    """
    groups = {group.name: group for group in plan.groups}
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    for name, alive in masks.alive.items():
        group = groups.get(name)
        if group is None or len(alive) != group.units:
            raise ValueError(f"the plan has no group {name} of {len(alive)} units")
        for sides, mappings in ((inputs, (group.consumers,)), (outputs, (group.producers, group.carriers))):
            for mapping in mappings:
                _restrict(sides, mapping, alive)
    cuts = (LayerCut(layer, _kept(inputs.get(layer)), _kept(outputs.get(layer))) for layer in {**outputs, **inputs})
    return tuple(cut for cut in cuts if cut.inputs or cut.outputs)


def _restrict(sides: dict[str, Tensor], mapping: Units, alive: Tensor) -> None:
    for layer, units in mapping.items():
        stays = (units < 0) | alive[units.clamp(min=0)]
        sides[layer] = sides[layer] & stays if layer in sides else stays


def _kept(stays: Tensor | None) -> KeptChannels | None:
    if stays is None or bool(stays.all()):
        return None
    return KeptChannels.of(stays)


def cut(network: nn.Module, cuts: tuple[LayerCut, ...]) -> nn.Module:
    """A smaller copy of a network; the network given stays as it is.

    Args:
        network: On any device.
        cuts: What its layers keep.
    """
    smaller = copy.deepcopy(network)
    for planned in cuts:
        _cut_in_place(smaller, planned.layer, _index(planned.inputs), _index(planned.outputs))
    return smaller


def narrowed(network: nn.Module, widths: Mapping[str, Widths]) -> nn.Module:
    """A copy of a network with layers of other widths, for loading the weights of a cut one into.

    Args:
        network: Of the architecture that was cut, with any weights.
        widths: As `widths_of` gave them.

    Raises:
        ValueError: there is no such layer, it cannot be cut, or is narrower itself.
    """
    narrow = copy.deepcopy(network)
    for layer, (inputs, outputs) in widths.items():
        try:
            _cut_in_place(narrow, layer, _first(inputs), _first(outputs))
        except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
            raise ValueError(f"{layer} cannot have {inputs} inputs and {outputs} outputs: {error}") from error
    return narrow


def widths_of(cuts: tuple[LayerCut, ...]) -> dict[str, Widths]:
    """How many channels the layers have that were cut."""
    return {
        cut.layer: (
            None if cut.inputs is None else len(cut.inputs.kept),
            None if cut.outputs is None else len(cut.outputs.kept),
        )
        for cut in cuts
    }


@torch.no_grad()
def _cut_in_place(network: nn.Module, name: str, inputs: Tensor | None, outputs: Tensor | None) -> None:
    layers = dict(network.named_modules())
    if name in layers and has_heads(layers[name]):
        if outputs is not None:
            keep_heads(layers[name], outputs)
    elif name in layers:
        cut_layer(layers[name], inputs, outputs)
    elif outputs is not None:
        owner, _, parameter = name.rpartition(".")
        _select(layers[owner], parameter, channel_axis(layers[owner].get_parameter(parameter)), outputs)


def joined_cuts(first: tuple[LayerCut, ...], then: tuple[LayerCut, ...]) -> tuple[LayerCut, ...]:
    """One cut in place of two, of which the second counts the channels that the first has left."""
    before, after = ({cut.layer: cut for cut in cuts} for cuts in (first, then))
    nothing = LayerCut("", None, None)
    return tuple(
        LayerCut(
            layer,
            _kept_of_kept(before.get(layer, nothing).inputs, after.get(layer, nothing).inputs),
            _kept_of_kept(before.get(layer, nothing).outputs, after.get(layer, nothing).outputs),
        )
        for layer in {**before, **after}
    )


def _kept_of_kept(first: KeptChannels | None, then: KeptChannels | None) -> KeptChannels | None:
    if first is None or then is None:
        return first or then
    return KeptChannels(first.width, tuple(first.kept[place] for place in then.kept))


def compact(network: nn.Module, plan: ChannelPlan, masks: ChannelMasks) -> nn.Module:
    """The network without the units that are not alive; computes what the network with `kernel_weight_masks` computes.

    Args:
        network: The network whose plan it is, or one with masked weights of it.
        plan: Its channels.
        masks: Of groups of the plan.

    Raises:
        ValueError: see `plan_cuts`.
    """
    return cut(network, plan_cuts(plan, masks))


def _index(kept: KeptChannels | None) -> Tensor | None:
    return None if kept is None else torch.tensor(kept.kept)


def _first(count: int | None) -> Tensor | None:
    if count is not None and not 1 <= count <= _MOST_CHANNELS:
        raise ValueError(f"{count} is no number of channels")
    return None if count is None else torch.arange(count)


@singledispatch
def cut_layer(layer: nn.Module, inputs: Tensor | None, outputs: Tensor | None) -> None:  # noqa: ARG001
    """Makes a layer smaller, in place.

    Args:
        layer: Of a type that has a rule.
        inputs: int64, channels that its input keeps; None for all.
        outputs: The same of its output.

    Raises:
        TypeError: there is no rule for such a layer.
    """
    raise TypeError(f"no rule for cutting {type(layer).__name__}")


@cut_layer.register
def _(layer: _ConvNd, inputs: Tensor | None, outputs: Tensor | None) -> None:
    _cut_convolution(layer, inputs, outputs, output_axis=0)


@cut_layer.register
def _(layer: _ConvTransposeNd, inputs: Tensor | None, outputs: Tensor | None) -> None:
    _cut_convolution(layer, inputs, outputs, output_axis=1)


def _cut_convolution(layer: _ConvNd, inputs: Tensor | None, outputs: Tensor | None, output_axis: int) -> None:
    """Of grouped convolutions whole groups go, so that the axis of the weight that counts within a group stays."""
    if is_depthwise(layer):
        inputs = outputs
    read, written = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    for axis, index in ((output_axis, outputs), (1 - output_axis, inputs)):
        if layer.groups == 1 or axis == 0:
            _select(layer, "weight", axis, index)
    _select(layer, "bias", 0, outputs)
    layer.in_channels = layer.in_channels if inputs is None else len(inputs)
    layer.out_channels = layer.out_channels if outputs is None else len(outputs)
    if layer.groups > 1:
        layer.groups = layer.out_channels // written
        if layer.groups * read != layer.in_channels or layer.groups * written != layer.out_channels:
            raise ValueError(f"{layer} would keep parts of groups")


@cut_layer.register
def _(layer: nn.Linear, inputs: Tensor | None, outputs: Tensor | None) -> None:
    _select(layer, "weight", 0, outputs)
    _select(layer, "weight", 1, inputs)
    _select(layer, "bias", 0, outputs)
    layer.out_features, layer.in_features = layer.weight.shape


@cut_layer.register
def _(layer: _NormBase, _: Tensor | None, outputs: Tensor | None) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _select(layer, name, 0, outputs)
    layer.num_features = layer.num_features if outputs is None else len(outputs)


@cut_layer.register
def _(layer: nn.PReLU, _: Tensor | None, outputs: Tensor | None) -> None:
    _select(layer, "weight", 0, outputs)
    layer.num_parameters = len(layer.weight)


def _select(layer: nn.Module, name: str, axis: int, index: Tensor | None) -> None:
    tensor = getattr(layer, name)
    if tensor is None or index is None:
        return
    smaller = tensor.detach().index_select(axis, index.to(tensor.device))
    if isinstance(tensor, nn.Parameter):
        smaller = nn.Parameter(smaller, requires_grad=tensor.requires_grad)
    setattr(layer, name, smaller)
