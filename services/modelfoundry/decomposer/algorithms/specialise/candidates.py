"""Structures that could do: combinations of widths that processors like, with and without blocks, and their worth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import Bypass, ChannelPlan, plan_channels
from modelfoundry.decomposer.algorithms.specialise.frontier import Point
from modelfoundry.decomposer.algorithms.specialise.structure import Structure, Tier, group_widths
from modelfoundry.decomposer.algorithms.specialise.work import Shape, Work
from modelfoundry.errors import UnsupportedModel

MULTIPLE: Final = 8
"""Of channels: what processors compute at once in float32. In int8 it is twice as many; what is narrower is timed."""
_MOST: Final = 96
"""Combinations that are weighed; with more tiers than that allows all are narrowed alike."""
_COUNTS: Final = 8
"""Numbers of blocks left out that are weighed, beside none."""
_STEPS: Final = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


def structures(tiers: Sequence[Tier], blocks: int) -> Iterator[Structure]:
    """Everything that could be built.

    Args:
        tiers: Of the base.
        blocks: That can be left out.
    """
    choices = [_widths(tier) for tier in tiers]
    combinations: Iterator[tuple[int, ...]] = itertools.product(*choices)
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST:
        alike = (tuple(_nearest(choice, share) for choice in choices) for share in _STEPS)
        combinations = iter(dict.fromkeys(alike))
    fewer = sorted({blocks * part // _COUNTS for part in range(_COUNTS + 1)} if blocks > _COUNTS else range(blocks + 1))
    for widths in combinations:
        for left_out in fewer:
            yield Structure(widths, left_out)


def _widths(tier: Tier) -> tuple[int, ...]:
    multiple = tier.multiple(MULTIPLE)
    return (*range(multiple, tier.units, multiple), tier.units)


def _nearest(widths: Sequence[int], share: float) -> int:
    return min(widths, key=lambda width: (abs(width - share * widths[-1]), width))


def weighed(
    work: Work, tiers: Sequence[Tier], scores: Mapping[str, Tensor], blocks: Sequence[str], wanted: Iterator[Structure]
) -> list[Point]:
    """What each structure costs in multiply-accumulates and weights, and what it loses of the base's saliency.

    Args:
        work: What is done.
        tiers: Of the base.
        scores: Of the base's units.
        blocks: In the order in which they are left out.
        wanted: The structures. Those without a channel that can be cut are passed over.

    Raises:
        Cancelled: the monitor says so.
    """
    whole = sum(layer.macs for layer in _layers(work.network, work).values())
    total = sum(float(values.sum()) for values in scores.values())
    best = {name: values.sort(descending=True).values.cumsum(0) for name, values in scores.items()}
    plans: dict[int, tuple[dict[str, _Layer], ChannelPlan] | None] = {}
    found = []
    for structure in wanted:
        work.monitor.check_cancelled()
        if structure.left_out not in plans:
            plans[structure.left_out] = _planned(work, blocks[: structure.left_out])
        planned = plans[structure.left_out]
        if planned is None:
            continue
        layers, plan = planned
        widths = group_widths(plan, tiers, structure.widths)
        kept = sum(float(best[name][width - 1]) for name, width in widths.items() if name in best)
        left = _narrowed(layers, plan, widths)
        share, weights = (sum(getattr(layer, what) for layer in left) for what in ("macs", "weights"))
        found.append(Point(structure, share / whole, 1 - kept / total if total else 0.0, weights=round(weights)))
    return found


def _planned(work: Work, left_out: Sequence[str]) -> tuple[dict[str, _Layer], ChannelPlan] | None:
    """Layers and channels of the network without some blocks; None where they took all channels with them."""
    network = Shape(tuple(map(Bypass, left_out))).of(work.network)
    try:
        return _layers(network, work), plan_channels(network, work.input_spec)
    except UnsupportedModel:
        return None


@dataclass(frozen=True, slots=True)
class _Layer:
    """What a convolution or linear layer costs."""

    macs: float
    """Multiply-accumulates of an image."""
    weights: float


def _layers(network: nn.Module, work: Work) -> dict[str, _Layer]:
    """What all convolutions and linear layers cost, by name."""
    found: dict[str, _Layer] = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(layer: nn.Module, _: object, output: Tensor) -> None:
            weight = layer.get_parameter("weight")
            before = found[name].macs if name in found else 0.0
            found[name] = _Layer(before + output[0].numel() // len(weight) * weight.numel(), weight.numel())

        return hook

    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(note(name)) for name, layer in layers]
    try:
        with torch.no_grad():
            network(torch.zeros(1, *work.input_spec.shape, device=work.device))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _narrowed(layers: Mapping[str, _Layer], plan: ChannelPlan, widths: Mapping[str, int]) -> list[_Layer]:
    """What is left of them when groups have these widths."""
    shares = dict.fromkeys(layers, 1.0)
    for group in plan.groups:
        share = widths[group.name] / group.units
        for name in (*group.producers, *group.consumers, *group.carriers):
            if name in shares:
                shares[name] *= share
    return [_Layer(layer.macs * shares[name], layer.weights * shares[name]) for name, layer in layers.items()]


def worthwhile(points: Sequence[Point]) -> list[Point]:
    """Those that no other one beats in both multiply-accumulates and what is lost, the cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each.macs, each.lost)):
        if not best or point.lost < best[-1].lost:
            best.append(point)
    return best
