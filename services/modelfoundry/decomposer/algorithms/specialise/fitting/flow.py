"""How a network runs: its layers in order, the norm behind each, and the residual sums that they end in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelfoundry.decomposer.algorithms.specialise.fitting.layers import can_fit

_SHORTCUTS: Final = ("shortcut", "downsample")
"""How residual blocks of zoo, torchvision and timm call the layer beside their branch."""
_COMPARED: Final = 8
"""Images on which a block is compared with its sum."""


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block: what it gives is the sum of branch and shortcut, or that with negative parts at 0."""

    name: str
    end: str
    """The last layer of its branch."""
    shortcut: str | None
    """The layer beside the branch; None where the input itself is added."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What one pass of a network did."""

    layers: tuple[str, ...]
    """Layers that can be fitted, in order; not those that run several times, whose answers are many."""
    norms: Mapping[str, str]
    """Layer to the batch normalisation that reads its output, with scale, shift and statistics."""
    answers: Mapping[str, Tensor]
    """Layer to what stands behind it and its norm."""
    sums: Mapping[str, Tensor]
    """Residual block to branch plus shortcut."""
    blocks: tuple[Block, ...]
    """Residual ones, in order."""
    begins: Mapping[str, int]
    """Block of any kind to the number of layers that ran before it."""


@torch.no_grad()
def flow_of(network: nn.Module, images: Tensor) -> Flow:
    """Runs a network once and notes what its layers do.

    Args:
        network: In evaluation mode.
        images: Normalised, float32 [n, channels, height, width].
    """
    noted = _Noted()
    with _hooks(network, noted.enter, noted.leave):
        network(images)
    layers = dict(network.named_modules())
    norms = {noted.writers[id(read)]: name for name, read, layer in noted.normed(layers) if id(read) in noted.writers}
    answers = {name: noted.outputs[norms.get(name, name)] for name in noted.order}
    found = [found for name in noted.ends if (found := _residual(name, layers[name], noted, answers)) is not None]
    return Flow(
        layers=tuple(name for name in noted.order if noted.order.count(name) == 1),
        norms=norms,
        answers=answers,
        sums={block.name: total for block, total in found},
        blocks=tuple(block for block, _ in found),
        begins=noted.begins,
    )


class _Noted:
    """Inputs and outputs of layers by name, kept alive, so that tensors are told apart by their ids."""

    def __init__(self) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.given: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        """Copies: what comes behind may change a tensor in place."""
        self.writers: dict[int, str] = {}
        self.order: list[str] = []
        self.ends: list[str] = []
        self.begins: dict[str, int] = {}

    def enter(self, name: str, layer: nn.Module, given: Tensor) -> None:
        self.given[name] = given
        if not _is_leaf(layer):
            self.begins[name] = len(self.order)
            self.inputs[name] = given.clone()

    def leave(self, name: str, layer: nn.Module, output: Tensor) -> None:
        self.outputs[name] = output.clone()
        if can_fit(layer):
            self.order.append(name)
            self.writers[id(output)] = name
            self.given[f"{name} written"] = output
        elif not _is_leaf(layer):
            self.ends.append(name)

    def normed(self, layers: Mapping[str, nn.Module]) -> Iterator[tuple[str, Tensor, nn.Module]]:
        for name, read in self.given.items():
            layer = layers.get(name)
            if isinstance(layer, _BatchNorm) and layer.running_mean is not None and layer.affine:
                yield name, read, layer


def _residual(name: str, block: nn.Module, noted: _Noted, answers: Mapping[str, Tensor]) -> tuple[Block, Tensor] | None:
    """The block as a residual one with the sum that it ends in; None where it ends in none."""
    beside = next((f"{name}.{part}" for part in _SHORTCUTS if isinstance(getattr(block, part, None), nn.Module)), None)
    passed = noted.inputs[name] if beside is None else noted.outputs.get(beside)
    output = noted.outputs[name]
    if not name or passed is None or passed.shape != output.shape:
        return None
    inside = [
        layer
        for layer in noted.order
        if layer.startswith(f"{name}.") and not (beside and f"{layer}.".startswith(f"{beside}."))
    ]
    for end in reversed(inside):
        if answers[end].shape != output.shape:
            continue
        few = answers[end][:_COMPARED] + passed[:_COMPARED]
        if any(torch.allclose(each, output[:_COMPARED], atol=1e-5) for each in (few, few.relu())):
            return Block(name, end, beside), answers[end] + passed
    return None


def _is_leaf(layer: nn.Module) -> bool:
    return not any(layer.children())


Enter = Callable[[str, nn.Module, Tensor], None]


@contextmanager
def watched(network: nn.Module, enter: Enter) -> Iterator[None]:
    """Tells of every layer and block that is about to run: its name, itself, and what it reads."""
    with _hooks(network, enter, lambda *_: None):
        yield


@contextmanager
def _hooks(network: nn.Module, enter: Enter, leave: Enter) -> Iterator[None]:
    """Tells of every layer that takes a tensor: its name, itself, and what it read or wrote."""

    def entering(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda layer, given: enter(name, layer, given[0]) if given and isinstance(given[0], Tensor) else None

    def leaving(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        return lambda layer, _, output: leave(name, layer, output) if isinstance(output, Tensor) else None

    handles = []
    for name, layer in network.named_modules():
        handles += [layer.register_forward_pre_hook(entering(name)), layer.register_forward_hook(leaving(name))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
