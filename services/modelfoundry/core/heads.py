"""What stands behind the logits of a module's network, and gives the module's own outputs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional


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

    __hash__ = None  # type: ignore[assignment]  # holds tensors

    def __call__(self, logits: Tensor) -> Tensor:
        """The module's logits [n, outputs] from the masked network's [n, labels]."""
        for layer in self.layers:
            logits = functional.linear(functional.relu(logits), layer.weight.to(logits), layer.bias.to(logits))
        return logits
