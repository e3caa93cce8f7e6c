"""Which weights of its base model a module keeps: one bit for each (SeaM, Qi et al., ICSE 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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
