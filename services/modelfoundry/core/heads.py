"""What stands behind the logits of a module's network, and gives the module's own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

MOST_LABELS: Final = 2**20
"""More than any classifier has; bounds the memory that a hostile file can ask for."""


@dataclass(frozen=True, eq=False, slots=True)
class HeadLayer:
    """A linear layer of a head.

    Raises:
        ValueError: the shapes do not belong together.
    """

    weight: Tensor
    """float32 [outputs, inputs], on the CPU."""
    bias: Tensor
    """float32 [outputs], on the CPU."""

    def __post_init__(self) -> None:
        if self.weight.dim() != 2 or self.bias.shape != self.weight.shape[:1]:
            raise ValueError(f"head: weight {tuple(self.weight.shape)} and bias {tuple(self.bias.shape)} do not fit")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HeadLayer):
            return NotImplemented
        return torch.equal(self.weight, other.weight) and torch.equal(self.bias, other.bias)

    __hash__ = None  # type: ignore[assignment]  # holds tensors


@dataclass(frozen=True, slots=True)
class LinearHead:
    """The layers behind the original's outputs: `L_k(ReLU(... L_1(ReLU(logits))))`. Never masked, never counted.

    One layer in SeaM (Qi et al., ICSE 2023), two in GradSplitter (Qi et al., TOSEM 2023).

    Raises:
        ValueError: there is no layer, or one does not take what the one before gives.
    """

    layers: tuple[HeadLayer, ...]
    """From the base's logits to the module's outputs."""

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("head: it has no layer")
        for before, layer in pairwise(self.layers):
            if len(before.bias) != layer.weight.shape[1]:
                raise ValueError(f"head: a layer of {layer.weight.shape[1]} inputs follows one of {len(before.bias)}")

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> LinearHead:
        """A head of one layer: weight float32 [outputs, labels of the base model], bias float32 [outputs]."""
        return cls((HeadLayer(weight, bias),))

    @property
    def labels(self) -> int:
        """Number of labels of the base model."""
        return self.layers[0].weight.shape[1]

    @property
    def outputs(self) -> int:
        """Number of outputs of the module."""
        return len(self.layers[-1].bias)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of outputs of every layer."""
        return tuple(len(layer.bias) for layer in self.layers)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its numbers by name: `0.weight`, `0.bias` and so on."""
        return {
            f"{place}.{part}": value
            for place, layer in enumerate(self.layers)
            for part, value in (("weight", layer.weight), ("bias", layer.bias))
        }

    __hash__ = None  # type: ignore[assignment]  # holds tensors

    def __call__(self, logits: Tensor) -> Tensor:
        """The module's logits [n, outputs] from the masked network's [n, labels]."""
        for layer in self.layers:
            logits = functional.linear(functional.relu(logits), layer.weight.to(logits), layer.bias.to(logits))
        return logits


@dataclass(frozen=True, eq=False, slots=True)
class LogOddsHead:
    """Log-odds of labels against the rest: what the network itself says of them, with a scale and a bias each.

    With z the network's logits, the output of label k is `scale * (z_k - logsumexp(z of the rest)) + bias`. The rest
    are all labels of the base model that the problem is not about; where the problem has an output for it, that is 0.
    With scale 1 and bias 0 the softmax of the outputs is the network's own, its labels without an output taken
    together as `rest` or, where that is no output, left out.

    Raises:
        ValueError: columns are not different labels of the base model, all are named, or the numbers do not belong to
            them.
    """

    labels: int
    """Number of labels of the base model, 2 to 2^20."""
    columns: tuple[int, ...]
    """Number of every label of the problem among those of the base model, in the order of the problem."""
    rest: bool
    """Whether the last output stands for the rest."""
    scale: Tensor
    """float32 [columns], above 0, on the CPU."""
    bias: Tensor
    """float32 [columns], on the CPU."""

    def __post_init__(self) -> None:
        check_columns(self.labels, self.columns)
        for name, value in self.tensors.items():
            if value.shape != (len(self.columns),):
                raise ValueError(f"head: {name} {tuple(value.shape)} for {len(self.columns)} labels")
        if not bool((self.scale > 0).all()):
            raise ValueError("head: a scale is not above 0")

    @property
    def outputs(self) -> int:
        """Number of outputs of the module."""
        return len(self.columns) + self.rest

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its numbers by name: `scale` and `bias`."""
        return {"scale": self.scale, "bias": self.bias}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LogOddsHead):
            return NotImplemented
        same = (self.labels, self.columns, self.rest) == (other.labels, other.columns, other.rest)
        return same and torch.equal(self.scale, other.scale) and torch.equal(self.bias, other.bias)

    __hash__ = None  # type: ignore[assignment]  # holds tensors


Head = LinearHead | LogOddsHead
"""What gives a module's outputs."""


def check_columns(labels: int, columns: Sequence[int]) -> None:
    """Checks that log-odds can be those of some labels of so many.

    Raises:
        ValueError: the columns are not different labels, or all are named, which leaves no rest.
    """
    known = range(min(labels, MOST_LABELS))
    if len(set(columns)) != len(columns) or not all(column in known for column in columns):
        raise ValueError(f"head: its columns are not different ones of {labels}")
    if not 1 <= len(columns) < labels <= MOST_LABELS:
        raise ValueError(f"head: {len(columns)} of {labels} labels leave no rest to compare them with")
