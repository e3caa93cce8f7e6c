"""Which channels of a network live and die together, and which of them are alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from modelfoundry.errors import InvalidField

Units = Mapping[str, Tensor]
"""Name of a layer (or bare parameter) to int64 [its channels]: the unit of every channel, -1 for one that is no part of
the group."""


@dataclass(frozen=True, eq=False, slots=True)
class ChannelGroup:
    """Channels that can only be dropped in `units`, each without the others.

    Dropping a unit means that every consumer multiplies its input by 0 there. That is GradSplitter's bit on the
    activation (Qi et al., section C.3), for any network: what lies between producers and consumers need not be known,
    and taking the channels out of all three is exact.
    """

    name: str
    """Of the first producer in the order of the network, for example `layer1.0.conv1`; no two groups share one."""
    units: int
    """2 or more."""
    producers: Units
    """Output channels of the convolutions and linear layers that write them."""
    carriers: Units
    """Channels of the norms, depthwise convolutions, activations and bare parameters that pass them on, and heads of
    the attention that counts them."""
    consumers: Units
    """Input channels of the convolutions and linear layers that read them; a linear layer that follows a flattened
    map reads every unit height x width times."""
    is_kernel: bool
    """Whether it is written by a layer that works on maps (a convolution, or a linear layer over positions). The others
    are hidden units of linear layers, and heads of attention."""

    @property
    def layers(self) -> frozenset[str]:
        """Names of all layers and parameters that the group reaches."""
        return frozenset({*self.producers, *self.carriers, *self.consumers})


@dataclass(frozen=True, slots=True)
class WholeLayer:
    """A layer of which no output channel can be dropped."""

    layer: str
    reason: str
    """Why, for a person, for example `its channels reach the output of the network`."""


@dataclass(frozen=True, eq=False, slots=True)
class ChannelPlan:
    """All channels of a network that can be dropped. Depends on the structure alone, not on weights."""

    groups: tuple[ChannelGroup, ...]
    """In the order of the network."""
    whole: tuple[WholeLayer, ...]
    """In the order of the network; the last layer is always among them."""

    @property
    def kernel_groups(self) -> tuple[ChannelGroup, ...]:
        """Those that GradSplitter masks."""
        return tuple(group for group in self.groups if group.is_kernel)


@dataclass(frozen=True, eq=False, slots=True)
class ChannelMasks:
    """Which units are alive.

    Raises:
        InvalidField: a group has no unit that is alive.
        ValueError: a mask is no tensor of booleans.
    """

    alive: Mapping[str, Tensor]
    """Name of a group to bool [units], True for alive. Groups that are not named are whole."""
    held: tuple[str, ...] = ()
    """Groups in which nothing was alive, so that one unit had to stay (its outputs are multiplied by 0)."""

    def __post_init__(self) -> None:
        for name, alive in self.alive.items():
            if alive.dtype != torch.bool or alive.dim() != 1:
                raise ValueError(f"the mask of {name} must be bool [units], not {alive.dtype} {tuple(alive.shape)}")
            if not bool(alive.any()):
                raise InvalidField(
                    f"masks.{name}: no channel would stay",
                    field=f"masks.{name}",
                    hint="keep one unit of every group",
                )
        object.__setattr__(self, "alive", MappingProxyType(dict(self.alive)))

    @property
    def kept(self) -> int:
        """Number of units that are alive."""
        return sum(int(alive.count_nonzero()) for alive in self.alive.values())

    @property
    def total(self) -> int:
        """Number of units."""
        return sum(len(alive) for alive in self.alive.values())
