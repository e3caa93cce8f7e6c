"""Batch normalisation in a search: statistics of the batch, trained scale and shift, and what is stored of them.

A mask that keeps a tenth of the weights moves the statistics of every layer behind it; with those of the base even good
masks answer at random. So a search normalises by the batch, and takes statistics anew under the final masks (Li et al.,
ECCV 2020). Other norms, which have no statistics, stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelfoundry.core.masking import masked_forward

_NARROW: Final = 16.0
"""Tensors of numbers up to this are stored in 16 bits: each is off by 0.004 at most, usual ones by 0.0005."""
_ROUNDING: Final = 1e-5
"""A channel whose deviation is a smaller part of its mean has one value, summed up with rounding errors."""


class BatchNorms:
    """The batch normalisations of a network that keeps running statistics.

    Args:
        network: A copy of the base, in evaluation mode; its batch normalisations are changed.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._layers: dict[str, _BatchNorm] = {
            name: layer
            for name, layer in network.named_modules()
            if isinstance(layer, _BatchNorm) and layer.running_mean is not None
        }
        self.trained: Mapping[str, nn.Parameter] = {
            f"{name}.{part}": nn.Parameter(getattr(layer, part).detach().clone())
            for name, layer in self._layers.items()
            for part in ("weight", "bias")
            if getattr(layer, part) is not None
        }
        """Scales and shifts by parameter name; none in a network without batch normalisation."""

    def normalise_by_batch(self) -> None:
        """From now on every batch is normalised by its own statistics; the running ones stay as they are."""
        for layer in self._layers.values():
            layer.train()
            layer.track_running_stats = False

    def estimate(self, state: Mapping[str, Tensor], batches: Iterable[Tensor]) -> dict[str, Tensor]:
        """Takes running statistics anew and writes them, with the trained scales and shifts, as a module stores them.

        The network is in evaluation mode afterwards, with the base's statistics.

        Args:
            state: Masked parameters by name.
            batches: Network inputs, float32 [n, channels, height, width] each, n 2 or more.

        Returns:
            What the module has in place of the base's own, by name: scales and shifts so made that they fit the base's
            running statistics, and the statistics of norms that lack one of the two. float16 or float32, on the CPU.
        """
        base = {name: _Statistics.of(layer) for name, layer in self._layers.items()}
        for layer in self._layers.values():
            layer.train()
            layer.track_running_stats = True
            layer.momentum = None  # the mean over all batches
            layer.reset_running_stats()
        with torch.no_grad():
            for images in batches:
                masked_forward(self._network, {**state, **self.trained}, images)
        found: dict[str, Tensor] = {}
        for name, layer in self._layers.items():
            found |= self._stored(name, base[name], _Statistics.of(layer), layer.eps)
            base[name].write(layer)
        self._network.eval()
        return {name: _narrowed(value) for name, value in found.items()}

    def _stored(self, name: str, base: _Statistics, own: _Statistics, eps: float) -> dict[str, Tensor]:
        scale, shift = (self.trained.get(f"{name}.{part}") for part in ("weight", "bias"))
        if scale is None or shift is None:
            trained = {} if scale is None else {f"{name}.weight": scale}
            return trained | {f"{name}.running_mean": own.mean, f"{name}.running_var": own.variance}
        # (x - m) / sqrt(v) * scale + shift, written with the base's M and V in place of m and v. A channel that never
        # varies is its shift; written like the others it would be a difference of large numbers.
        varies = own.variance > (_ROUNDING * own.mean) ** 2
        steepness = torch.where(varies, (own.variance + eps).rsqrt(), 0.0) * scale
        return {
            f"{name}.weight": steepness * (base.variance + eps).sqrt(),
            f"{name}.bias": shift + steepness * (base.mean - own.mean),
        }


@dataclass(frozen=True, slots=True)
class _Statistics:
    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, layer: _BatchNorm) -> _Statistics:
        if layer.running_mean is None or layer.running_var is None:
            raise RuntimeError("a norm lost its statistics")
        return cls(layer.running_mean.clone(), layer.running_var.clone())

    def write(self, layer: _BatchNorm) -> None:
        """Puts them into a layer."""
        layer.load_state_dict({"running_mean": self.mean, "running_var": self.variance}, strict=False)


def _narrowed(values: Tensor) -> Tensor:
    """float16 where that is exact enough, else float32; on the CPU."""
    stored = values.detach().float().cpu()
    return stored.half() if float(stored.abs().max()) <= _NARROW else stored.clone()
