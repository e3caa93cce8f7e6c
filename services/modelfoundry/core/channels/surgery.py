"""Surgery: what a network has to become before its channels can all be cut, and blocks that it can do without.

A residual stream whose shortcut pads channels without a layer cannot be narrowed: nothing says which channel the padded
one becomes. A 1x1 convolution with weights 0 and 1 computes the same bits and can be cut like any other. A block that
gives what it takes, a residual one above all, can be left out: its input goes on in place of its output.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from modelfoundry.values.architectures import InputSpec

MOST_CHANNELS: Final = 2**16
"""Of a projection: more than any layer has; bounds the memory that a hostile file can ask for."""
MOST_STRIDE: Final = 64
_CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True, slots=True)
class Projection:
    """A layer without weights becomes a 1x1 convolution without a bias.

    Raises:
        ValueError: no convolution has such sizes.
    """

    layer: str
    inputs: int
    """Channels that it reads, before any are cut."""
    outputs: int
    """Channels that it writes, before any are cut."""
    stride: int
    """Every so many rows and columns are read."""

    def __post_init__(self) -> None:
        sizes = (self.inputs <= MOST_CHANNELS, self.outputs <= MOST_CHANNELS, self.stride <= MOST_STRIDE)
        if not all(sizes) or min(self.inputs, self.outputs, self.stride) < 1:
            raise ValueError(f"{self.layer} cannot project {self.inputs} to {self.outputs} channels by {self.stride}")


@dataclass(frozen=True, slots=True)
class Bypass:
    """A block is left out: its input goes on in place of its output."""

    layer: str


Operation = Projection | Bypass


def operated(network: nn.Module, operations: Iterable[Operation]) -> nn.Module:
    """A copy of a network after operations; the weights of its projections are 0.

    Args:
        network: On any device; untouched.
        operations: In order.

    Raises:
        ValueError: a layer is not there, or one that would be projected has weights of its own.
    """
    changed = copy.deepcopy(network)
    for operation in operations:
        _operate(changed, operation)
    return changed


def _operate(network: nn.Module, operation: Operation) -> None:
    try:
        layer = network.get_submodule(operation.layer)
    except AttributeError as error:
        raise ValueError(f"there is no layer {operation.layer!r}") from error
    if not operation.layer:
        raise ValueError("a whole network cannot be replaced")
    if isinstance(operation, Bypass):
        network.set_submodule(operation.layer, nn.Identity())
        return
    if next(layer.parameters(), None) is not None:
        raise ValueError(f"{operation.layer} has weights of its own")
    like = next(network.parameters(), torch.zeros(0))
    projection: nn.Conv2d = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        nn.Conv2d,
        operation.inputs,
        operation.outputs,
        1,
        stride=operation.stride,
        bias=False,
        device=like.device,
        dtype=like.dtype,
    )
    nn.init.zeros_(projection.weight.requires_grad_(like.requires_grad))
    network.set_submodule(operation.layer, projection)


def with_projections(network: nn.Module, input_spec: InputSpec) -> tuple[nn.Module, tuple[Projection, ...]]:
    """A copy that computes the same bits, with a 1x1 convolution for every layer that hands channels on to others.

    Args:
        network: In any mode; untouched.
        input_spec: Images that it takes.

    Returns:
        The copy in evaluation mode, and what was done to it.
    """
    changed = copy.deepcopy(network).eval()
    found: list[Projection] = []
    for name, inputs, outputs in _passes(changed, input_spec, _hands_channels_on):
        selection = _selection(changed.get_submodule(name), inputs, outputs)
        if selection is None:
            continue
        stride = inputs.shape[2] // outputs.shape[2]
        found.append(Projection(name, inputs.shape[1], outputs.shape[1], stride))
        _operate(changed, found[-1])
        with torch.no_grad():
            changed.get_parameter(f"{name}.weight").copy_(selection[:, :, None, None])
    return changed, tuple(found)


def removable_blocks(network: nn.Module, input_spec: InputSpec) -> tuple[str, ...]:
    """Blocks with weights that give maps of the size that they take, in the order in which they are run.

    Of blocks within blocks the outermost: what is left of a half block is no residual block.

    Args:
        network: In any mode; untouched.
        input_spec: Images that it takes.
    """
    names = [
        name
        for name, inputs, outputs in _passes(copy.deepcopy(network).eval(), input_spec, _is_block)
        if inputs.shape == outputs.shape
    ]
    return tuple(name for name in dict.fromkeys(names) if not any(name.startswith(f"{other}.") for other in names))


def _hands_channels_on(layer: nn.Module) -> bool:
    return not any(layer.children()) and next(layer.parameters(), None) is None


def _is_block(layer: nn.Module) -> bool:
    with_weights = next(layer.parameters(), None) is not None
    return with_weights and any(layer.children()) and not isinstance(layer, _CONTAINERS)


@torch.no_grad()
def _selection(layer: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor | None:
    """Which channel every output is, 0 and 1 in float32 [outputs, inputs]; None for layers that do something else."""
    if inputs.dim() != 4 or outputs.dim() != 4 or inputs.shape[1] == outputs.shape[1]:
        return None
    stride, left = divmod(inputs.shape[2], outputs.shape[2])
    if left or stride < 1 or inputs.shape[3] != stride * outputs.shape[3]:
        return None
    # Among random pixels a channel is its own copy alone.
    random = torch.rand(inputs.shape, generator=torch.Generator().manual_seed(0))
    try:
        answered = layer(random)
    except (RuntimeError, ValueError, TypeError):
        return None
    seen = random[:, :, ::stride, ::stride]
    same = (answered[:, :, None] == seen[:, None]).flatten(3).all(3).all(0)
    zero = (answered == 0).flatten(2).all(2).all(0)
    known = same.sum(1) == (~zero).long()
    return same.float() if bool(known.all()) else None


def _passes(
    network: nn.Module, input_spec: InputSpec, wanted: Callable[[nn.Module], bool]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, input and output of every wanted layer that takes one tensor and gives one, in the order of their ends."""
    found: list[tuple[str, Tensor, Tensor]] = []
    images = torch.rand(2, *input_spec.shape, generator=torch.Generator().manual_seed(1))
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    with _noting(network, wanted, found), torch.no_grad():
        network(images.to(device))
    return iter(found)


@contextmanager
def _noting(
    network: nn.Module, wanted: Callable[[nn.Module], bool], found: list[tuple[str, Tensor, Tensor]]
) -> Iterator[None]:
    def note(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
            if inputs and isinstance(inputs[0], Tensor) and isinstance(outputs, Tensor):
                found.append((name, inputs[0].detach().cpu().clone(), outputs.detach().cpu().clone()))

        return hook

    handles = [
        layer.register_forward_hook(note(name)) for name, layer in network.named_modules() if name and wanted(layer)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
