"""Whether channels can be dropped as planned, by dropping some and comparing outputs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from modelfoundry.core.channels.cuts import compact
from modelfoundry.core.channels.groups import ChannelGroup, ChannelMasks, ChannelPlan
from modelfoundry.core.channels.masks import kernel_weight_masks
from modelfoundry.core.channels.tracing import FAILURES
from modelfoundry.core.masking import masked_state

_TOLERANCE: Final = 1e-9
"""Relative to the largest output. In float64 rounding stays far below, a wrong cut far above."""


def randomised(network: nn.Module, images: Tensor) -> nn.Module:
    """A copy with random weights, in float64 on the CPU, in which no channel is silent and none is like another.

    Statistics of batch normalisation are those of the layer's inputs times random numbers, so that signals neither
    vanish nor explode, and a dropped channel is a constant other than 0.

    Args:
        network: Untouched.
        images: float64 [n, channels, height, width], n above 1.
    """
    # The network's own weights would prove less: trained ones hold zeros and dead ReLUs, fresh norms and layer scales
    # hide whole blocks, and behind any of these a wrong cut changes nothing.
    random = copy.deepcopy(network).to("cpu", torch.float64).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in random.parameters():
        if parameter.dim() > 1:
            scale = (2 * len(parameter) / parameter.numel()) ** 0.5  # He et al., 2015: as large behind ReLU as before
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale)
        else:
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64) * 1.5 - 0.4)
    with torch.no_grad(), _calibrating(random, generator):
        random(images)
    return random


@contextmanager
def _calibrating(network: nn.Module, generator: torch.Generator) -> Iterator[None]:
    def calibrate(layer: _NormBase, inputs: tuple[Any, ...]) -> None:
        if layer.running_mean is None or layer.running_var is None:
            return
        by_channel = inputs[0].transpose(0, 1).flatten(1)
        jitter = torch.rand(2, len(by_channel), generator=generator, dtype=torch.float64) + 0.5
        layer.running_mean.copy_(by_channel.mean(1) * jitter[0])
        layer.running_var.copy_((by_channel.var(1) + 1e-3) * jitter[1])

    norms = [layer for layer in network.modules() if isinstance(layer, _NormBase)]
    handles = [layer.register_forward_pre_hook(calibrate) for layer in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def proven_groups(network: nn.Module, images: Tensor, groups: Sequence[ChannelGroup]) -> tuple[ChannelGroup, ...]:
    """The groups that can be dropped from, all together, without changing other than they should.

    Args:
        network: As `randomised` made it.
        images: As it was given.
        groups: As they were derived from the graph; those that fail are found by halving.
    """
    return _provable(network, images, (), tuple(groups))


def _provable(
    network: nn.Module, images: Tensor, accepted: tuple[ChannelGroup, ...], candidates: tuple[ChannelGroup, ...]
) -> tuple[ChannelGroup, ...]:
    if not candidates or _holds(network, images, accepted + candidates):
        return candidates
    if len(candidates) == 1:
        return ()
    # With those accepted so far, not by themselves: cuts of two groups meet in every layer between them.
    middle = len(candidates) // 2
    first = _provable(network, images, accepted, candidates[:middle])
    return first + _provable(network, images, accepted + first, candidates[middle:])


def _holds(network: nn.Module, images: Tensor, groups: tuple[ChannelGroup, ...]) -> bool:
    plan = ChannelPlan(groups, ())
    # An operation that takes halves of its input apart still divides it in the right place when a random mask happens
    # to keep as much of either half; of a group of six channels that happens in every other draw. So half of every
    # group goes as well. That alone would not do: it leaves the pattern of every other channel as it was.
    trials = (random_masks(plan, torch.Generator().manual_seed(0)), _earlier_halves(plan))
    return all(_computes_the_same(network, images, plan, masks) for masks in trials)


def random_masks(plan: ChannelPlan, generator: torch.Generator) -> ChannelMasks:
    """Masks that keep about half of the units of every group, at least one, and drop at least one."""
    alive = {}
    for group in plan.groups:
        chances = torch.rand(group.units, generator=generator)
        mask = chances < 0.5
        mask[chances.argmin()], mask[chances.argmax()] = True, False
        alive[group.name] = mask
    return ChannelMasks(alive)


def _earlier_halves(plan: ChannelPlan) -> ChannelMasks:
    """Masks that drop the second half of the units of every group, the larger one of an odd number."""
    return ChannelMasks({group.name: torch.arange(group.units) < group.units // 2 for group in plan.groups})


def _computes_the_same(network: nn.Module, images: Tensor, plan: ChannelPlan, masks: ChannelMasks) -> bool:
    state = masked_state(network, kernel_weight_masks(network, plan, masks))
    with torch.no_grad():
        expected = functional_call(network, state, (images,))
        try:
            actual = compact(network, plan, masks)(images)
        except FAILURES:
            return False
    if actual.shape != expected.shape:
        return False
    return float((actual - expected).abs().max()) <= _TOLERANCE * max(1.0, float(expected.abs().max()))
