"""What a network is rebuilt from, and what it takes as input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from modelfoundry.errors import InvalidField

EXPORTED_BUILDERS: Final = ("exported:module", "exported:composition")
"""Builders of what was imported from an export: their parameters are lists and objects too."""

Scalar = str | int | float | bool
Value: TypeAlias = "Scalar | Sequence[Value] | Mapping[str, Value] | None"


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a network is rebuilt without running anybody's code.

    Whole numbers become integers, so that an architecture that travelled through protobuf's Struct, which knows only
    doubles, equals the one that was sent.

    Args:
        builder: `family:name`, for example `zoo:resnet20`, `torchvision:resnet18`, `timm:vit_tiny_patch16_224`.
        parameters: Keyword arguments of the builder besides the number of classes: numbers, strings and booleans. For
            `exported:module` and `exported:composition` what `module.json` says of the network.
    """

    builder: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", {key: _whole(value) for key, value in self.parameters.items()})


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input image looks like to the network.

    `mean` and `std` stay as they were given, empty where nothing was: that is what records, cards and cache keys say.
    What computes takes `means` and `deviations`.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(self.mean))
        object.__setattr__(self, "std", tuple(self.std))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return (self.channels, self.height, self.width)

    @property
    def means(self) -> tuple[float, ...]:
        """What is subtracted, per channel: zeros where nothing was said."""
        return self.mean or (0.0,) * self.channels

    @property
    def deviations(self) -> tuple[float, ...]:
        """What is divided by, per channel: ones where nothing was said."""
        return self.std or (1.0,) * self.channels

    def checked(self) -> InputSpec:
        """The same, when a network can take it. A record is read without this: it says what it says.

        Raises:
            InvalidField: an extent is out of range, or `mean` or `std` does not have one proper value per channel.
        """
        _check_range("channels", self.channels, 16)
        _check_range("height", self.height, 4096)
        _check_range("width", self.width, 4096)
        _check_per_channel("mean", self.mean, self.channels)
        _check_per_channel("std", self.std, self.channels)
        if any(value <= 0 for value in self.std):
            raise InvalidField(
                f"input.std: pixels are divided by it, got {list(self.std)}",
                field="input.std",
                hint="give values above 0",
            )
        return self


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, element type (safetensors' spelling, for example `F32`) and shape of one tensor in a file."""

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


def _whole(value: Value) -> Value:
    match value:
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {key: _whole(item) for key, item in value.items()}
        case list() | tuple():
            return [_whole(item) for item in value]
    return value


def _check_range(name: str, value: int, highest: int) -> None:
    if not 1 <= value <= highest:
        raise InvalidField(f"input.{name}: {value} is out of range", field=f"input.{name}", hint=f"give 1 to {highest}")


def _check_per_channel(name: str, values: tuple[float, ...], channels: int) -> None:
    if values and (len(values) != channels or not all(math.isfinite(value) for value in values)):
        raise InvalidField(
            f"input.{name}: need {channels} finite values, one per channel, got {list(values)[:16]}",
            field=f"input.{name}",
            hint="give one value per channel, or leave it empty",
        )
