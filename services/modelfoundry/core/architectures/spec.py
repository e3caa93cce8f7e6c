"""What a network is rebuilt from, and what it takes as input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from modelfoundry.errors import InvalidField

Scalar = str | int | float | bool
Value: TypeAlias = "Scalar | Sequence[Value] | Mapping[str, Value] | None"


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a network is rebuilt without running anybody's code.

    Whole numbers become integers, so that an architecture that travelled through protobuf's Struct, which knows only
    doubles, equals the one that was sent.
    """

    builder: str
    """`family:name`, for example `zoo:resnet20`, `torchvision:resnet18`, `timm:resnet10t`, `exported:module`."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """Keyword arguments of the builder besides the number of labels: scalars; for `exported:*` what describes it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", {key: _whole(value) for key, value in self.parameters.items()})


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input image looks like to the network.

    Raises:
        InvalidField: an extent is out of range, or `mean` or `std` does not have one proper value per channel.
    """

    channels: int
    """1 to 16."""
    height: int
    """In pixels, 1 to 4096."""
    width: int
    """In pixels, 1 to 4096."""
    mean: tuple[float, ...] = ()
    """Per channel, subtracted after pixels were scaled to [0, 1]. Empty becomes zeros."""
    std: tuple[float, ...] = ()
    """Per channel, above 0, divided by after the mean was subtracted. Empty becomes ones."""

    def __post_init__(self) -> None:
        _check_range("channels", self.channels, 16)
        _check_range("height", self.height, 4096)
        _check_range("width", self.width, 4096)
        object.__setattr__(self, "mean", tuple(self.mean) or (0.0,) * self.channels)
        object.__setattr__(self, "std", tuple(self.std) or (1.0,) * self.channels)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels or not all(math.isfinite(value) for value in values):
                raise InvalidField(
                    f"input.{name}: need {self.channels} finite values, one per channel, got {list(values)[:16]}",
                    field=f"input.{name}",
                    hint="give one value per channel, or leave it empty",
                )
        if min(self.std) <= 0:
            raise InvalidField(
                f"input.std: pixels are divided by it, got {list(self.std)}",
                field="input.std",
                hint="give values above 0",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return (self.channels, self.height, self.width)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, element type and shape of one tensor in a safetensors file, as its header states them."""

    name: str
    dtype: str
    """In safetensors' spelling: `F32`, `F16`, `I64`, ..."""
    shape: tuple[int, ...]


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
