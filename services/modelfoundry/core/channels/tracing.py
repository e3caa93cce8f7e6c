"""From a network to ties between its channels, by torch-pruning's dependency graph (Fang et al., CVPR 2023)."""

from __future__ import annotations

import collections
import functools
import importlib
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from modelfoundry.errors import UnsupportedModel
from modelfoundry.names import shortened

Side = Literal["inputs", "outputs"]
FAILURES: Final = (
    *(RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError, ArithmeticError),
)
"""What networks raise that cannot be traced, or whose channels were cut wrongly."""

OUTPUT_REASON: Final = "its channels reach the output of the network"


def _imported_without(name: str, unwanted: str) -> Any:
    """Imports a package that can do without another, and takes that for missing unless it is there already."""
    if unwanted in sys.modules:
        return importlib.import_module(name)
    sys.modules[unwanted] = None  # type: ignore[assignment]  # how Python notes that a module cannot be imported
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[unwanted]


# timm takes seconds to import, and only an operation counter that is not used here asks for it. Done while this module
# is imported, when no other thread is about to import timm.
_torch_pruning: Final = _imported_without("torch_pruning", "timm")


@dataclass(frozen=True, slots=True)
class Pin:
    """A channel that cannot be dropped, and why."""

    slot: int
    reason: str


@dataclass(slots=True)
class ChannelTies:
    """Channels as numbers (slots), and which of them are one and the same or must go together."""

    network: nn.Module
    """The copy that was traced."""
    first: dict[tuple[str, Side], range] = field(default_factory=dict)
    """Layer or bare parameter and side to the slots of its channels. Norms, depthwise convolutions and parameters have
    outputs only."""
    pairs: list[tuple[int, int]] = field(default_factory=list)
    pins: list[Pin] = field(default_factory=list)
    on_maps: set[str] = field(default_factory=set)
    """Layers that work on maps: convolutions, and linear layers with inputs of more than two dimensions."""
    writers: set[str] = field(default_factory=set)
    """Convolutions and linear layers whose outputs are channels of their own."""
    size: int = 0
    """Number of slots."""

    def slots(self, name: str, side: Side, extent: int) -> range:
        """The slots of one side of a layer with `extent` channels there."""
        if (name, side) not in self.first:
            self.first[name, side] = range(self.size, self.size + extent)
            self.size += extent
        return self.first[name, side]


def trace_ties(network: nn.Module, images: Tensor) -> ChannelTies:
    """Runs a network once and follows its channels from layer to layer.

    Args:
        network: A copy, on the CPU; its parameters are made to require gradients, by which the graph is found.
        images: float32 or float64 [1, channels, height, width], of the network's type.

    Raises:
        UnsupportedModel: an operation cannot be followed; its layer stands in the message and the metadata.
    """
    ties = ChannelTies(network)
    graph = _graph(network, images, ties)
    names = {layer: name for name, layer in network.named_modules()} | {
        parameter: name for name, parameter in network.named_parameters()
    }
    for group in graph.get_all_groups():
        _tie_group(graph, group, names, ties)
    for name, layer in network.named_modules():
        if isinstance(layer, _ConvNd) and layer.groups > 1:
            _tie_convolution_groups(name, layer, ties)
    _pin_computed_and_shared_weights(ties)
    return ties


def _graph(network: nn.Module, images: Tensor, ties: ChannelTies) -> Any:
    def note(name: str, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(layer, _ConvNd) or (inputs and isinstance(inputs[0], Tensor) and inputs[0].dim() > 2):
            ties.on_maps.add(name)

    graph: Any = _torch_pruning.DependencyGraph()
    try:
        with (
            entering_layers(network, note),
            warnings.catch_warnings(),
            torch.inference_mode(False),
            torch.enable_grad(),
        ):
            warnings.simplefilter("ignore")
            return graph.build_dependency(
                network.requires_grad_(True), images, forward_fn=lambda traced, inputs: traced(inputs), verbose=False
            )
    except FAILURES as error:
        reason = f"its channels cannot be followed: {shortened(str(error) or type(error).__name__, 200)}"
        refuse(_layer_before(error, {layer: name for name, layer in network.named_modules()}), reason)


def _layer_before(error: BaseException, names: Mapping[nn.Module, str]) -> str:
    """The layer whose channels the graph could not follow: it, or the nearest before the operation that it gave up on.

    torch-pruning does not say where it fails; the nodes that it was looking at stand in the frames of its error.
    """
    node_type = _torch_pruning.dependency.node.Node
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    given_up = [
        value for frame in reversed(frames) for value in frame.f_locals.values() if isinstance(value, node_type)
    ]
    nodes: list[Any] = given_up[:1]
    for node in nodes:  # grows while it is walked: breadth first, towards the images
        if names.get(node.module):
            return names[node.module]
        nodes += [before for before in node.inputs if before not in nodes]
    return ""


@contextmanager
def entering_layers(network: nn.Module, note: Callable[[str, nn.Module, tuple[Any, ...]], None]) -> Iterator[None]:
    """Tells `note` the name, the layer and its inputs whenever a layer without parts is entered."""
    leaves = [(name, layer) for name, layer in network.named_modules() if not any(layer.children())]
    handles = [layer.register_forward_pre_hook(functools.partial(note, name)) for name, layer in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def refuse(layer: str, reason: str) -> NoReturn:
    """Refuses a network because of one of its layers."""
    raise UnsupportedModel(
        f"{f'layer {layer}' if layer else 'the network'} cannot be cut: {reason}",
        field="model",
        hint="use a network whose convolutions are followed by convolutions, norms per channel and linear layers",
        metadata={"layer": layer},
    )


def _tie_group(graph: Any, group: Any, names: dict[Any, str], ties: ChannelTies) -> None:
    root = group[0].dep.target.module
    own = ties.slots(names[root], "outputs", channel_count(root, "outputs"))
    for item in group:
        target = item.dep.target.module
        name = names.get(target, "")
        obstacle = _obstacle(target, name)
        if None in item.root_idxs:  # how torch-pruning notes channels that an expansion made of others
            obstacle, tied = f"an operation before {name or 'the output'} repeats them", list(own)
        else:
            tied = [own[index] for index in item.root_idxs]
        if obstacle:
            ties.pins += [Pin(slot, obstacle) for slot in tied]
        elif target in names and _has_channels(target):
            side: Side = "outputs" if graph.is_out_channel_pruning_fn(item.dep.handler) else "inputs"
            slots = ties.slots(name, side, channel_count(target, side))
            if side == "outputs" and isinstance(target, _ConvNd | nn.Linear) and not is_depthwise(target):
                ties.writers.add(name)
            _tie_channels(ties, name, slots, item.idxs, tied)


def _tie_channels(ties: ChannelTies, name: str, slots: range, channels: Iterable[int], tied: list[int]) -> None:
    for channel, slot in zip(channels, tied, strict=True):
        if 0 <= channel < len(slots):
            ties.pairs.append((slots[channel], slot))
        else:
            ties.pins.append(Pin(slot, f"{name} has no channel {channel} that it could be"))


def _obstacle(target: Any, name: str) -> str:
    """Why channels that reach this layer or operation cannot be dropped; empty where they can."""
    kind = type(target).__name__
    if isinstance(target, nn.LayerNorm | nn.GroupNorm):
        return f"{name} ({kind}) computes with all of them at once"
    if isinstance(target, _ConvNd) and target.groups == target.out_channels > 1 and not is_depthwise(target):
        return f"{name} ({kind}) reads several of them for each of its own"
    if kind == "_OutputOp":
        return OUTPUT_REASON
    if not name or isinstance(target, _ConvNd | nn.Linear | _NormBase | nn.PReLU | nn.Parameter):
        return ""
    return f"there is no rule for cutting {name} ({kind})"


def channel_count(target: Any, side: Side) -> int:
    """Number of channels on one side of a layer, or of a bare parameter."""
    match target:
        case _ConvNd():
            channels = target.in_channels if side == "inputs" else target.out_channels
        case nn.Linear():
            channels = target.in_features if side == "inputs" else target.out_features
        case _NormBase():
            channels = target.num_features
        case nn.PReLU():
            channels = target.num_parameters
        case _:
            channels = target.shape[channel_axis(target)]
    return int(channels)


def _has_channels(target: Any) -> bool:
    return not isinstance(target, nn.PReLU) or target.num_parameters > 1


def is_depthwise(layer: nn.Module) -> bool:
    """Whether it is a convolution that filters every channel by itself."""
    return isinstance(layer, _ConvNd) and 1 < layer.groups == layer.in_channels == layer.out_channels


def channel_axis(parameter: Tensor) -> int:
    """Axis of a bare parameter along which its channels lie: the last with more than one entry."""
    return max((axis for axis, extent in enumerate(parameter.shape) if extent > 1), default=0)


def _tie_convolution_groups(name: str, layer: _ConvNd, ties: ChannelTies) -> None:
    """Makes inputs and outputs of one group of a convolution stay or go together, which keeps its other groups exact.

    A depthwise convolution has one channel a group, and torch-pruning has tied both of its sides.
    """
    outputs = ties.slots(name, "outputs", layer.out_channels)
    if is_depthwise(layer):
        return
    if (name, "inputs") not in ties.first:
        ties.pins += [Pin(slot, f"{name} reads channels in groups that cannot be dropped") for slot in outputs]
        return
    inputs = ties.first[name, "inputs"]
    written, read = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    for group in range(layer.groups):
        members = [*inputs[group * read : (group + 1) * read], *outputs[group * written : (group + 1) * written]]
        ties.pairs += [(members[0], member) for member in members[1:]]


def _pin_computed_and_shared_weights(ties: ChannelTies) -> None:
    layers = dict(ties.network.named_modules())
    users = collections.Counter(parameter for layer in layers.values() for parameter in layer.parameters(recurse=False))
    for (name, _), slots in ties.first.items():
        layer = layers.get(name)
        if layer is None:
            continue
        if parametrize.is_parametrized(layer):
            ties.pins += [Pin(slot, f"the weights of {name} are computed from others") for slot in slots]
        elif any(users[parameter] > 1 for parameter in layer.parameters(recurse=False)):
            ties.pins += [Pin(slot, f"{name} shares its weights with another layer") for slot in slots]
