"""Which views a step learns from: half of the label, half of all others, whatever their shares are."""

from __future__ import annotations

import torch
from torch import Tensor

from modelfoundry.core.devices import stream_seed
from modelfoundry.decomposer.algorithms.distilling.odds import Target


class BalancedDraws:
    """Draws with replacement in which every answer of a problem has the same weight.

    What a step draws depends on seed and step alone, so that no state has to be kept to go on from any of them.

    Args:
        labels: Label numbers of the views, int64 [n]; every label of the problem is among them, and for a problem with
            a rest others too.
        target: The problem.
        seed: Any integer.
        common: Which views the others are drawn from, bool [n]; None: all.
    """

    def __init__(self, labels: Tensor, target: Target, seed: int, common: Tensor | None = None) -> None:
        self._seed = seed
        inside = [torch.nonzero(labels == column).flatten() for column in target.columns]
        others = ~torch.isin(labels, torch.tensor(target.columns))
        shared = others if common is None else others & common
        # Of a label that is nearly everything, nothing else may be among few common views.
        outside = torch.nonzero(shared if bool(shared.any()) else others).flatten()
        # Half of the images are of the rest, as in the problems that modules are measured on.
        weight = len(inside) if target.rest else 0
        self._places = inside + [outside] * weight

    def draw(self, stream: str, count: int) -> Tensor:
        """Views for one purpose, for example `step 7`: int64 [count]."""
        generator = torch.Generator().manual_seed(stream_seed(self._seed, stream))
        parts = [
            places[torch.randint(0, len(places), (share,), generator=generator)]
            for places, share in zip(self._places, self._shares(count, generator), strict=True)
        ]
        return torch.cat(parts)

    def _shares(self, count: int, generator: torch.Generator) -> list[int]:
        """Numbers of draws from every place; what does not divide evenly goes to places that are drawn too."""
        even, more = divmod(count, len(self._places))
        lucky = set(torch.randperm(len(self._places), generator=generator)[:more].tolist())
        return [even + (place in lucky) for place in range(len(self._places))]
