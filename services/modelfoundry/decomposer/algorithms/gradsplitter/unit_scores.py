"""Kernel masks under training: a real number per module and unit, kept when above 0 (GradSplitter, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from modelfoundry.core.channels import ChannelGroup, ChannelMasks


class UnitScores:
    """Real-valued masks of several modules over the units of channel groups.

    No group is ever empty: where all scores of a module's group are 0 or less, the unit with the highest stays. (The
    published code kept the first, which computes something else than the masks that were trained.)
    """

    def __init__(self, network: nn.Module, groups: Sequence[ChannelGroup], modules: int, device: torch.device) -> None:
        """Begins with the score 1 everywhere, which keeps all.

        Args:
            network: Whose groups they are.
            groups: One or more.
            modules: Number of modules.
            device: Where they are trained.
        """
        self.groups = tuple(groups)
        self.widths = [group.units for group in self.groups]
        self.values = nn.Parameter(torch.ones(modules, sum(self.widths), device=device))
        """[modules, units of all groups one after another]."""
        kernels = torch.cat([kernels_of_units(network, group) for group in self.groups])
        self._kernels = kernels.to(device)
        self.total = modules * int(kernels.sum())
        """Number of kernels of all modules."""

    def alive(self) -> Tensor:
        """Which units are kept now: bool, shaped like `values`, a copy that later training does not touch."""
        parts = []
        for scores in torch.split(self.values.detach(), self.widths, dim=1):
            highest = nn.functional.one_hot(scores.argmax(dim=1), scores.shape[1]).bool()
            parts.append((scores > 0) | (highest & (scores <= 0).all(dim=1, keepdim=True)))
        return torch.cat(parts, dim=1)

    def held(self) -> Tensor:
        """Where one unit stays though no score is above 0: bool [modules, groups]."""
        parts = torch.split(self.values.detach(), self.widths, dim=1)
        return torch.stack([(scores <= 0).all(dim=1) for scores in parts], dim=1)

    def kept(self, alive: Tensor) -> int:
        """Number of kernels that `alive` keeps in all modules: channels that are tied count one by one."""
        return int((alive * self._kernels).sum())

    def set_gradient(self, of_bits: Tensor, alpha: float) -> None:
        """Sets the gradient of every score: straight through from its bit, clamped to [-1, 1], and the kernels' share.

        Args:
            of_bits: Gradient of the cross entropy with respect to the bits, shaped like `values`.
            alpha: Weight of the mean of all kernels' bits in the loss.
        """
        self.values.grad = of_bits.clamp(-1.0, 1.0) + (alpha / self.total) * self._kernels

    def masks(self, alive: Tensor, held: Tensor) -> ChannelMasks:
        """One module's rows of `alive` [units] and `held` [groups] by the names of the groups, on the CPU."""
        parts = torch.split(alive.cpu(), self.widths)
        empty = held.cpu().tolist()
        return ChannelMasks(
            {group.name: part.clone() for group, part in zip(self.groups, parts, strict=True)},
            tuple(group.name for group, was in zip(self.groups, empty, strict=True) if was),
        )


def kernels_of_units(network: nn.Module, group: ChannelGroup) -> Tensor:
    """Kernels that every unit of a group has: float32 [units].

    A kernel is what makes one channel: a row of a convolution or linear layer that writes or, depthwise, passes it on.
    """
    kernels = torch.zeros(group.units)
    layers = dict(network.named_modules())
    for name, units in (*group.producers.items(), *group.carriers.items()):
        if isinstance(layers.get(name), _ConvNd | nn.Linear):
            kernels += torch.bincount(units[units >= 0], minlength=group.units)
    return kernels
