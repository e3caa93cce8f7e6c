"""From a builder's name to a network, by families of architectures that are handed in.

No downloads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from modelfoundry.errors import InvalidField, UnknownArchitecture
from modelfoundry.names import near, shortened
from modelfoundry.values.architectures import Architecture, InputSpec, Value

_REFUSALS: Final = (
    *(TypeError, ValueError, AssertionError, RuntimeError, AttributeError, LookupError, ArithmeticError),
)
"""What constructors raise when their arguments make no network."""


@dataclass(frozen=True, slots=True)
class Order:
    """A network that a family is to build, with random weights and in training mode."""

    name: str
    """One of the family's names."""
    parameters: Mapping[str, Value]
    """Of the architecture."""
    label_count: int
    """Number of outputs."""
    input_spec: InputSpec
    """Images that it takes."""
    builders: Builders
    """All families, for networks that are put together from those of others."""


@dataclass(frozen=True, slots=True)
class Family:
    """Architectures that one library, or one way to describe them, stands behind."""

    name: str
    """What stands before the colon: `zoo` in `zoo:resnet20`."""
    names: Callable[[], Collection[str]]
    """What can stand behind the colon. Called when it is needed: libraries take seconds to import."""
    build: Callable[[Order], nn.Module]
    """Raises InvalidField when a parameter or the number of channels is not for that architecture."""
    choosable: bool = True
    """Whether somebody chooses from the names. Not where the parameters say everything."""


@dataclass(frozen=True, slots=True)
class Builders:
    """Everything that networks can be built from by name."""

    families: tuple[Family, ...]

    def build(
        self, architecture: Architecture, label_count: int, input_spec: InputSpec, *, device: str = "cpu"
    ) -> nn.Module:
        """Builds a network with random weights, drawn from torch's global generator.

        Args:
            architecture: Builder and its parameters.
            label_count: Number of outputs, 2 or more.
            input_spec: Images that it takes; the channels reach the builder.
            device: `cpu`, or `meta` for shapes without numbers.

        Returns:
            The network in training mode; it maps float32 [n, channels, height, width] to logits [n, label_count].

        Raises:
            UnknownArchitecture: there is no such builder; the near names are in the hint.
            InvalidField: the builder does not take these parameters or this number of channels, or no network takes
                such images.
        """
        input_spec.checked()
        family, name = self._find(architecture.builder)
        order = Order(name, architecture.parameters, label_count, input_spec, self)
        try:
            return _on_meta(family, order) if device == "meta" else family.build(order)
        except _REFUSALS as error:
            raise InvalidField(
                f"architecture.parameters: {architecture.builder} cannot be built: {shortened(str(error), 200)}",
                field="architecture.parameters",
                hint="check the parameters' names and values against the builder's documentation",
            ) from error

    def known(self) -> tuple[str, ...]:
        """All names that can be chosen, sorted."""
        return tuple(
            sorted(f"{family.name}:{name}" for family in self.families if family.choosable for name in family.names())
        )

    def _find(self, builder: str) -> tuple[Family, str]:
        prefix, _, name = builder.partition(":")
        for family in self.families:
            if family.name == prefix and name in family.names():
                return family, name
        raise self._unknown(builder)

    def _unknown(self, builder: str) -> UnknownArchitecture:
        # The whole name first, for slips in it; then what is behind the colon alone, for a family left out or misspelt.
        known = self.known()
        similar = near(builder, known) or near(builder.rpartition(":")[2], (name.partition(":")[2] for name in known))
        by_name = {name.partition(":")[2]: name for name in reversed(known)}
        similar = [by_name.get(name, name) for name in similar]
        return UnknownArchitecture(
            f"architecture.builder: there is no {shortened(builder)!r}",
            field="architecture.builder",
            hint=f"did you mean {', '.join(similar)}?"
            if similar
            else "use zoo:NAME, torchvision:NAME or timm:NAME, for example zoo:resnet20 or torchvision:resnet18",
            metadata={"near": ", ".join(similar)},
        )


def _on_meta(family: Family, order: Order) -> nn.Module:
    try:
        with torch.device("meta"):
            return family.build(order)
    except RuntimeError:
        # A few constructors compute with numbers (`.item()`), which meta tensors do not have.
        with torch.random.fork_rng(devices=[]):
            return family.build(order).to("meta")
