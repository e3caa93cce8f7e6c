"""Scores of all kernels of all modules in one row, and which of them a density keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import ChannelGroup, ChannelMasks
from modelfoundry.decomposer.algorithms.distilling.density import rank_scores
from modelfoundry.decomposer.algorithms.gradsplitter.unit_scores import kernels_of_units

_LEAST: Final = 0.05
"""Share of a group's units that every module keeps, one or more: a layer of one channel lets nothing through."""


class KernelScores:
    """One score for every unit of the channel groups, of every module; those of the first groups are of all modules.

    Args:
        network: Whose groups they are.
        groups: In the order of the network.
        shared: So many of the first groups have the same units in all modules.
        saliency: How much every module needs every unit, float32 [modules, units], 0 or more. Modules compare their
            own; what one needs of all is the same sum.
    """

    def __init__(self, network: nn.Module, groups: Sequence[ChannelGroup], shared: int, saliency: Tensor) -> None:
        self.groups = tuple(groups)
        self.widths = [group.units for group in groups]
        self._modules, self._units = saliency.shape
        self._split = sum(self.widths[:shared])
        self._kernels = torch.cat([kernels_of_units(network, group) for group in groups]).to(saliency.device)
        self.total = self._modules * int(self._kernels.sum())
        """Number of kernels of all modules."""
        needed = saliency / saliency.sum(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        self.values = nn.Parameter(rank_scores(self._row(needed) / self._row(self._kernels.expand_as(needed))))
        """float32 [units of the shared groups, then those of the others module by module]."""
        costs = self._kernels.expand(self._modules, -1).clone()
        costs[:, : self._split] *= self._modules
        self._costs = self._row(costs)

    def _row(self, table: Tensor) -> Tensor:
        """[modules, units] as a row; what is shared has the modules' mean."""
        return torch.cat([table[:, : self._split].mean(dim=0), table[:, self._split :].reshape(-1)])

    def _table(self, row: Tensor) -> Tensor:
        """A row as [modules, units]."""
        own = row[self._split :].view(self._modules, -1)
        return torch.cat([row[: self._split].expand(self._modules, -1), own], dim=1)

    def alive(self, density: float) -> Tensor:
        """The units with the highest scores whose kernels are that share of all kernels of all modules.

        Every module keeps a few of every group, whatever their scores.

        Args:
            density: Above 0, at most 1.

        Returns:
            bool [modules, units], a copy that later training does not touch.
        """
        values = self._table(self.values.detach())
        first = torch.cat([_best(part) for part in torch.split(values, self.widths, dim=1)], dim=1)
        protected = torch.cat([first[0, : self._split], first[:, self._split :].reshape(-1)])
        order = torch.argsort(self.values.detach() + protected * _ABOVE_ALL, descending=True, stable=True)
        fits = torch.cumsum(self._costs[order].double(), dim=0) <= density * self.total + 0.5
        row = protected.clone()
        row[order[fits]] = True
        return self._table(row)

    def kept(self, alive: Tensor) -> int:
        """Number of kernels that `alive` keeps in all modules: channels that are tied count one by one."""
        return int((alive * self._kernels).sum())

    def set_gradient(self, of_bits: Tensor) -> None:
        """Sets the gradient of every score: straight through from its bit, of all modules' where it is shared.

        Args:
            of_bits: float32 [modules, units].
        """
        clamped = of_bits.clamp(-1.0, 1.0)
        shared = clamped[:, : self._split].sum(dim=0)
        self.values.grad = torch.cat([shared, clamped[:, self._split :].reshape(-1)])

    def masks(self, alive: Tensor) -> ChannelMasks:
        """One module's row of `alive` by the names of the groups, on the CPU."""
        parts = torch.split(alive.cpu(), self.widths)
        return ChannelMasks({group.name: part.clone() for group, part in zip(self.groups, parts, strict=True)})


_ABOVE_ALL: Final = 1e6
"""Scores begin in [0, 1] and move by learning rates."""


def _best(scores: Tensor) -> Tensor:
    """The few units that every row of a group's scores keeps: bool, shaped like the scores."""
    least = max(1, round(_LEAST * scores.shape[1]))
    found = torch.zeros_like(scores, dtype=torch.bool)
    return found.scatter(1, scores.argsort(dim=1, descending=True, stable=True)[:, :least], True)
