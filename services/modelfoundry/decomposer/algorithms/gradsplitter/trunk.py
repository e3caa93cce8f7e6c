"""A frozen network that runs as several modules at once: one pass over all of them, each with its own channels."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.nn.modules.conv import _ConvNd

from modelfoundry.core.channels import ChannelGroup
from modelfoundry.decomposer.algorithms.gradsplitter.tracing import retraced
from modelfoundry.values.architectures import InputSpec


class FoldedTrunk:
    """A frozen network in evaluation mode whose channels are masked where they are read.

    The modules lie one behind another in the batch. What a convolution or linear layer reads is multiplied by the bits
    of the channels: the paper's product of bit and activation, moved behind what lies between (pooling, sums,
    concatenations). Where a maximum lies between, the gradient of a bit that is 0 is that of the pooled activation.

    Batch normalisation is folded into the convolutions before it where the network can be traced.
    """

    def __init__(
        self, network: nn.Module, groups: Sequence[ChannelGroup], input_spec: InputSpec, device: torch.device
    ) -> None:
        """Copies the network.

        Args:
            network: Untouched.
            groups: The channels that are masked; their units lie one behind another in the bits.
            input_spec: Images that it takes.
            device: Where to compute.
        """
        sources = channel_sources(groups)
        trunk = copy.deepcopy(network).eval().requires_grad_(False).cpu()
        trunk = _with_folded_norms(trunk, frozenset(sources), input_spec)
        self._network = trunk.to(device).to(memory_format=torch.channels_last)
        self._bits: Tensor | None = None
        for name, source in sources.items():
            layer = self._network.get_submodule(name)
            layer.register_forward_pre_hook(partial(self._mask, source.to(device)))

    def __call__(self, images: Tensor, bits: Tensor) -> Tensor:
        """Runs the images through every module.

        Args:
            images: float32 [n, channels, height, width], normalised.
            bits: float32 [modules, units]; the result is differentiable with respect to them.

        Returns:
            float32 [modules, n, labels].
        """
        modules = len(bits)
        folded = images.repeat(modules, 1, 1, 1).contiguous(memory_format=torch.channels_last)
        self._bits = torch.cat([bits, bits.new_ones(modules, 1)], dim=1)  # the last: channels of no group
        try:
            logits: Tensor = self._network(folded)
        finally:
            self._bits = None
        return logits.view(modules, len(images), -1)

    def storages(self) -> frozenset[int]:
        """Addresses of its weights in memory."""
        tensors = (*self._network.parameters(), *self._network.buffers())
        return frozenset(tensor.untyped_storage().data_ptr() for tensor in tensors)

    def _mask(self, source: Tensor, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if self._bits is None:
            return inputs
        read, *others = inputs
        bits = self._bits[:, source].repeat_interleave(len(read) // len(self._bits), dim=0)
        if isinstance(layer, _ConvNd):
            bits = bits.view(*bits.shape, *([1] * (read.dim() - 2)))
        else:
            bits = bits.view(len(bits), *([1] * (read.dim() - 2)), bits.shape[1])
        return (read * bits, *others)


def channel_sources(groups: Sequence[ChannelGroup]) -> dict[str, Tensor]:
    """Layer to the place of each of its input channels among the bits; channels of no group have the place behind."""
    total = sum(group.units for group in groups)
    sources: dict[str, Tensor] = {}
    start = 0
    for group in groups:
        for layer, units in group.consumers.items():
            before = sources.get(layer, torch.full_like(units, total))
            sources[layer] = torch.where(units >= 0, units + start, before)
        start += group.units
    return sources


def _with_folded_norms(network: nn.Module, masked: frozenset[str], input_spec: InputSpec) -> nn.Module:
    """The same function with fewer layers, or the network itself where tracing fails or hides a masked layer."""
    folded = retraced(network, fuse, input_spec)
    if folded is None:
        return network
    called = {node.target for node in folded.graph.nodes if node.op == "call_module"}
    return folded if masked <= called else network
