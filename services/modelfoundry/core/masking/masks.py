"""What tells a module from its base model: one bit per weight, and a small head (SeaM, Qi et al., ICSE 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modelfoundry.errors import MalformedFile


@dataclass(frozen=True, eq=False, slots=True)
class WeightMasks:
    """Which weights of a network are kept.

    Raises:
        ValueError: a mask is not a tensor of booleans.
    """

    bits: Mapping[str, Tensor]
    """Parameter name (`layer1.0.conv1.weight`) to a bool tensor of the parameter's shape on the CPU, True for kept, in
    the order of the network."""

    def __post_init__(self) -> None:
        for name, bits in self.bits.items():
            if bits.dtype != torch.bool:
                raise ValueError(f"the mask of {name} must be bool, not {bits.dtype}")
        object.__setattr__(self, "bits", dict(self.bits))

    @property
    def kept(self) -> int:
        """Number of kept mask entries."""
        return sum(int(bits.count_nonzero()) for bits in self.bits.values())

    @property
    def total(self) -> int:
        """Number of mask entries."""
        return sum(bits.numel() for bits in self.bits.values())

    @property
    def retention(self) -> float:
        """Kept entries over all entries: SeaM's weight retention rate, in [0, 1]; 0 for no entries at all."""
        return self.kept / self.total if self.total else 0.0

    @property
    def layout(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Parameter names and shapes in order: what `from_packed` needs besides the bits."""
        return tuple((name, tuple(bits.shape)) for name, bits in self.bits.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WeightMasks):
            return NotImplemented
        return self.layout == other.layout and all(
            torch.equal(bits, other.bits[name]) for name, bits in self.bits.items()
        )

    __hash__ = None  # type: ignore[assignment]  # holds tensors

    def packed(self) -> bytes:
        """All bits in order, eight a byte, the first in the highest bit, filled up with zeros at the end."""
        if not self.bits:
            return b""
        flat = torch.cat([bits.detach().cpu().flatten() for bits in self.bits.values()])
        return np.packbits(flat.numpy()).tobytes()

    @classmethod
    def from_packed(cls, data: bytes, layout: Iterable[tuple[str, Sequence[int]]]) -> WeightMasks:
        """Reads what `packed` wrote.

        Args:
            data: Packed bits.
            layout: Parameter names and shapes, in the order in which they were packed.

        Raises:
            MalformedFile: the number of bytes does not fit the layout, or bits are set behind the last mask.
        """
        entries = [(name, tuple(shape)) for name, shape in layout]
        total = sum(math.prod(shape) for _, shape in entries)
        if len(data) != (total + 7) // 8:
            raise MalformedFile(
                f"packed masks: {len(data)} bytes, but {total} entries need {(total + 7) // 8}",
                hint="the file is damaged or belongs to another model; download it again",
            )
        flat = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
        if flat[total:].any():
            raise MalformedFile(
                "packed masks: bits are set behind the last entry",
                hint="the file is damaged; download it again",
            )
        bits = {}
        start = 0
        for name, shape in entries:
            stop = start + math.prod(shape)
            bits[name] = torch.from_numpy(flat[start:stop].reshape(shape).astype(bool))
            start = stop
        return cls(bits)


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
class Head:
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
    def linear(cls, weight: Tensor, bias: Tensor) -> Head:
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
