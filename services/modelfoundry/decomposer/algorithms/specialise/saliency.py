"""How much every unit matters to a problem: the squared gradient of a gate on what its consumers read.

The gate multiplies the unit wherever it is read, so its gradient is the sum over all of its consumers of weight times
gradient (Molchanov et al., CVPR 2019, with the sum inside the square, because one gate stands on all of them). What the
gradient is taken of are the log-odds of the problem's labels with random signs: their squares then add up to a Fisher
information of the base's own answers, and no label of an image is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from modelfoundry.core.channels import ChannelMasks, ChannelPlan
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.distilling.odds import Target


def saliency(
    network: nn.Module,
    plan: ChannelPlan,
    batches: Iterable[Tensor],
    target: Target,
    *,
    temperature: float,
    generator: torch.Generator,
    monitor: Monitor,
) -> dict[str, Tensor]:
    """Scores of all units of a plan.

    Args:
        network: In evaluation mode, parameters with gradients; gradients are cleared behind it.
        plan: Of the network.
        batches: Its inputs, float32 [n, channels, height, width] each.
        target: The problem.
        temperature: At which answers are compared.
        generator: Draws the signs.
        monitor: Asked before every batch whether to go on.

    Returns:
        Group name to float32 [units], 0 or more.

    Raises:
        Cancelled: the monitor says so.
    """
    layers = dict(network.named_modules())
    scores = {group.name: torch.zeros(group.units) for group in plan.groups}
    for images in batches:
        monitor.check_cancelled()
        _signed_odds(network(images).float(), target, temperature, generator).backward()  # type: ignore[no-untyped-call]
        for group in plan.groups:
            gate = torch.zeros(group.units)
            for name, units in group.consumers.items():
                read = units >= 0
                gate.index_add_(0, units[read], gate_gradient(layers[name]).cpu()[read])
            scores[group.name] += gate**2
        network.zero_grad(set_to_none=True)
    return scores


def _signed_odds(logits: Tensor, target: Target, temperature: float, generator: torch.Generator) -> Tensor:
    columns = list(target.columns)
    others = [column for column in range(logits.shape[1]) if column not in target.columns]
    against = torch.logsumexp(logits[:, others], dim=1, keepdim=True) if target.rest else 0.0
    odds = logits[:, columns] - against
    soft = odds.detach() / temperature
    steepness = (torch.sigmoid(soft) * torch.sigmoid(-soft)).sqrt()
    signs = torch.randint(0, 2, odds.shape, generator=generator).to(odds) * 2 - 1
    return (odds * steepness * signs).sum()


@singledispatch
def gate_gradient(layer: nn.Module) -> Tensor:
    """Gradient of a gate on each input channel, at 1: weights times gradients, float32 [inputs].

    Raises:
        TypeError: there is no rule for such a layer.
    """
    raise TypeError(f"no gates before {type(layer).__name__}")


@gate_gradient.register
def _(layer: nn.Linear) -> Tensor:
    return _products(layer.weight).sum(0)


@gate_gradient.register
def _(layer: _ConvNd) -> Tensor:
    within = _products(layer.weight).flatten(2).sum(2)
    return within.view(layer.groups, -1, within.shape[1]).sum(1).flatten()


@gate_gradient.register
def _(layer: _ConvTransposeNd) -> Tensor:
    return _products(layer.weight).flatten(1).sum(1)


def _products(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else (weight.detach() * weight.grad).float()


def best_units(plan: ChannelPlan, scores: Mapping[str, Tensor], widths: Mapping[str, int]) -> ChannelMasks:
    """The units with the highest scores of every group, as many as it is to be wide; of equal ones the first.

    Args:
        plan: Of the network.
        scores: As `saliency` gave them.
        widths: Of groups by name, 1 or more; those that are not named stay whole.
    """
    alive = {}
    for group in (group for group in plan.groups if group.name in widths):
        mask = torch.zeros(group.units, dtype=torch.bool)
        mask[scores[group.name].argsort(descending=True, stable=True)[: widths[group.name]]] = True
        alive[group.name] = mask
    return ChannelMasks(alive)


def first_units(plan: ChannelPlan, widths: Mapping[str, int]) -> ChannelMasks:
    """The first units of every group, for networks whose sizes matter and whose weights do not."""
    return best_units(plan, {group.name: -torch.arange(group.units).float() for group in plan.groups}, widths)
