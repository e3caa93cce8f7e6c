"""Convolution kernels (output channels): which a module keeps, and which an image makes active."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from modelfoundry.core.channels import KeptChannels, LayerCut
from modelfoundry.core.datasets import normalise
from modelfoundry.core.masking import WeightMasks
from modelfoundry.values.architectures import InputSpec

_IMAGES_AT_ONCE: Final = 16


def kept_kernels(network: nn.Module, masks: WeightMasks) -> dict[str, Tensor]:
    """Which kernels of every masked convolution have a kept weight; a bias alone keeps none.

    Args:
        network: The base network; its weights do not matter.
        masks: Masks of its parameters.

    Returns:
        Name of the convolution's weight to bool [output channels], in the order of the network.
    """
    kept = {name: _rows(network, name, bits) for name, bits in masks.bits.items()}
    return {name: rows for name, rows in kept.items() if rows is not None}


def _rows(network: nn.Module, name: str, bits: Tensor) -> Tensor | None:
    path, _, parameter = name.rpartition(".")
    layer = network.get_submodule(path)
    if parameter != "weight" or not isinstance(layer, _ConvNd):
        return None
    if isinstance(layer, _ConvTransposeNd):
        # [in, out / groups, ...]: the kernels of group g have the input channels of group g.
        inputs, outputs = bits.shape[:2]
        grouped = bits.reshape(layer.groups, inputs // layer.groups, outputs, -1)
        return grouped.transpose(1, 2).reshape(layer.out_channels, -1).any(dim=1)
    return bits.flatten(1).any(dim=1)


def active_kernels(network: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """Which kernels of every convolution are active: above 0 at some position of what its consumers see.

    That is the convolution's output behind the normalisations and activations that follow it directly, found by
    following the tensor through the forward pass, so that functional calls count as layers do. Where something else
    follows first (a sum, a concatenation), it is what goes into that. A kernel of a convolution that runs several
    times is active when it is in one of them.

    Args:
        network: In evaluation mode.
        inputs: float32 [n, channels, height, width], normalised, on the network's device.

    Returns:
        Name of the convolution's weight to bool [n, output channels] on the CPU, for those that ran.
    """
    watch = _Watch({weight: name for name, weight in network.named_parameters()})
    with torch.no_grad(), watch:
        network(inputs)
    active: dict[str, Tensor] = {}
    for call in watch.calls:
        active[call.name] = active[call.name] | call.active if call.name in active else call.active
    return {name: above.cpu() for name, above in active.items()}


_CONVOLUTIONS: Final[frozenset[Callable[..., Any]]] = frozenset(
    {
        *(functional.conv1d, functional.conv2d, functional.conv3d),
        *(functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d),
    }
)
_FOLLOWED: Final[frozenset[Callable[..., Any]]] = frozenset(
    {
        *(functional.batch_norm, functional.instance_norm, functional.group_norm, functional.dropout),
        *(functional.relu, functional.relu6, functional.hardtanh, functional.leaky_relu, functional.prelu),
        *(functional.elu, functional.selu, functional.celu, functional.gelu, functional.silu, functional.mish),
        *(functional.hardswish, functional.hardsigmoid, functional.softplus, functional.dropout2d),
        *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, Tensor.relu, Tensor.relu_),
    }
)
"""Operations that keep every channel to itself: behind them an activation still is that of the kernel."""


@dataclass(slots=True)
class _Call:
    """One call of a convolution."""

    name: str
    active: Tensor
    """bool [n, output channels]"""


class _Watch(TorchFunctionMode):
    """Follows what convolutions give through the operations behind them."""

    def __init__(self, names: Mapping[Tensor, str]) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self._names = names
        # Weak keys: activations are freed as in any other forward pass.
        self._origins: MutableMapping[Tensor, _Call] = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        output = func(*args, **named)
        if func in _CONVOLUTIONS:
            weight = args[1] if len(args) > 1 else named["weight"]
            if weight in self._names:
                call = _Call(self._names[weight], _above_zero(output))
                self.calls.append(call)
                self._origins[output] = call
        elif func in _FOLLOWED:
            source = args[0] if args else named["input"]
            followed = self._origins.get(source)
            if followed is not None:
                # Overwritten, not joined: what counts is what the last of these operations hands to a consumer.
                followed.active = _above_zero(output)
                self._origins[output] = followed
        return output


def _above_zero(output: Tensor) -> Tensor:
    return (output > 0).flatten(2).any(dim=2)


def used_kernels(
    network: nn.Module,
    kept: Mapping[str, Tensor],
    images: Tensor,
    input_spec: InputSpec,
    device: torch.device,
    cuts: tuple[LayerCut, ...] = (),
) -> Tensor:
    """Which of a module's kernels each image uses: those that are kept and active.

    Args:
        network: The base network with the module's weights, in evaluation mode, on the device.
        kept: Of `kept_kernels`, of the base network.
        images: uint8 [n, channels, height, width].
        input_spec: How images are normalised.
        device: Where to compute.
        cuts: Channels that the network has lost.

    Returns:
        bool [n, kernels of all masked convolutions], on the CPU.
    """
    left = {f"{cut.layer}.weight": cut.outputs for cut in cuts}
    used = []
    for batch in torch.split(images, _IMAGES_AT_ONCE):
        found = active_kernels(network, normalise(batch.to(device), input_spec))
        active = {name: _in_base(rows, left.get(name)) for name, rows in found.items()}
        never = torch.zeros(len(batch), 1, dtype=torch.bool)
        used.append(torch.cat([rows & active.get(name, never) for name, rows in kept.items()], dim=1))
    return torch.cat(used)


def _in_base(active: Tensor, left: KeptChannels | None) -> Tensor:
    """Bool [n, kernels of the base's convolution]: those that were cut are never active."""
    if left is None:
        return active
    whole = torch.zeros(len(active), left.width, dtype=torch.bool)
    whole[:, list(left.kept)] = active
    return whole
