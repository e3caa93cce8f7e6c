"""Which views a step learns from: half of the label, half of all others, whatever their shares are."""

from __future__ import annotations

from typing import Final

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
        self._labels = len(inside)

    def draw(self, stream: str, count: int) -> Tensor:
        """Views for one purpose, for example `step 7`: int64 [count]."""
        return torch.cat(self.parts(stream, count))

    def parts(self, stream: str, count: int) -> tuple[Tensor, Tensor]:
        """The same in two: views of the problem's labels, and views of the rest, none where that is no answer."""
        generator = torch.Generator().manual_seed(stream_seed(self._seed, stream))
        drawn = [
            places[torch.randint(0, len(places), (share,), generator=generator)]
            for places, share in zip(self._places, self._shares(count, generator), strict=True)
        ]
        return torch.cat(drawn[: self._labels]), torch.cat([*drawn[self._labels :], drawn[0][:0]])

    def _shares(self, count: int, generator: torch.Generator) -> list[int]:
        """Numbers of draws from every place; what does not divide evenly goes to places that are drawn too."""
        even, more = divmod(count, len(self._places))
        lucky = set(torch.randperm(len(self._places), generator=generator)[:more].tolist())
        return [even + (place in lucky) for place in range(len(self._places))]


_SOFTENING: Final = 4.0
"""By which the base's log-odds are divided when images of the rest are compared: few would be drawn alone else."""


_LEAST: Final = 1e-12


def closeness(outputs: Tensor) -> Tensor:
    """How far a base takes images for one of a problem's labels.

    Args:
        outputs: Of the problem, the rest's last, float32 [n, outputs].

    Returns:
        The labels' share of its softened answer, in [0, 1], float32 [n].
    """
    return 1 - (outputs / _SOFTENING).softmax(dim=1)[:, -1]


class HardDraws:
    """Balanced draws in which a part of the rest comes from where the base hesitates (hard negatives).

    What lies far from a label any mask tells apart; what the base nearly takes for it shows where a module differs.

    Args:
        draws: Balanced ones, for the labels and for the others of the rest.
        views: The rest's views that are drawn by closeness, int64 [n], n 1 or more.
        closeness: How often, in proportion, 0 or more, float32 [n].
        part: Of the rest's views in a batch that are drawn by closeness, in [0, 1].
        seed: Any integer.
    """

    def __init__(self, draws: BalancedDraws, views: Tensor, closeness: Tensor, part: float, seed: int) -> None:
        self._draws, self._views, self._part, self._seed = draws, views, part, seed
        # In 64 bits: there may be millions of them, and all may be next to 0.
        self._bounds = (closeness.double() + _LEAST).cumsum(0)

    def draw(self, stream: str, count: int) -> Tensor:
        """Views for one purpose, for example `step 7`: int64 [count]; those drawn by closeness come last."""
        balanced, others = self._draws.parts(stream, count)
        kept = len(others) - round(self._part * len(others))
        generator = torch.Generator().manual_seed(stream_seed(self._seed, f"hard negatives of {stream}"))
        wanted = torch.rand(len(others) - kept, generator=generator, dtype=torch.float64) * self._bounds[-1]
        found = torch.searchsorted(self._bounds, wanted, right=True).clamp_(max=len(self._views) - 1)
        return torch.cat([balanced, others[:kept], self._views[found]])
