"""What a network is built from and what it eats: values of the SDK, without protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a network is rebuilt without running anybody's code.

    Args:
        builder: `family:name`, for example `zoo:resnet20`, `torchvision:resnet18`, `timm:vit_tiny_patch16_224`.
        parameters: Keyword arguments of the builder besides the number of classes: numbers, strings and booleans. For
            `exported:module` and `exported:composition` what `module.json` says of the network.
    """

    builder: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input image looks like to the network.

    Args:
        channels: Colour channels, 1 to 16.
        height: Pixels, 1 to 4096.
        width: Pixels, 1 to 4096.
        mean: One value per channel, subtracted after pixels were scaled to [0, 1]. Empty: nothing is subtracted.
        std: One value above 0 per channel, divided by afterwards. Empty: nothing is divided.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, element type (safetensors' spelling, for example `F32`) and shape of one tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MaskableLayer:
    """A layer that can be masked: its name, class (`Conv2d`), weight extents, and whether it has a bias."""

    layer: str
    type: str
    weight_shape: tuple[int, ...]
    has_bias: bool


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What the evaluator found when it compared weights with an architecture.

    Args:
        parameter_count: Number of parameters.
        mask_count: Number of mask entries, weights and biases of all layers that can be masked.
        layers: Layers that can be masked, in the order of the network.
    """

    parameter_count: int
    mask_count: int
    layers: tuple[MaskableLayer, ...]
