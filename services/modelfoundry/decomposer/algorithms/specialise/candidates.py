"""Structures that could do: combinations of widths that processors like, with and without blocks, and their worth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import Bypass, ChannelPlan, plan_channels
from modelfoundry.decomposer.algorithms.specialise.frontier import Point
from modelfoundry.decomposer.algorithms.specialise.structure import Structure, Tier, group_widths
from modelfoundry.decomposer.algorithms.specialise.work import Shape, Work

MULTIPLES: Final = {"fp32": 8, "int8": 16}
"""Of channels: what processors compute at once, so that narrower is not faster."""
_MOST: Final = 96
"""Combinations that are weighed; with more tiers than that allows all are narrowed alike."""
_STEPS: Final = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


def structures(tiers: Sequence[Tier], blocks: int, multiple: int) -> Iterator[Structure]:
    """Everything that could be built.

    Args:
        tiers: Of the base.
        blocks: That can be left out.
        multiple: Of channels.
    """
    choices = [_widths(tier.units, multiple) for tier in tiers]
    combinations: Iterator[tuple[int, ...]] = itertools.product(*choices)
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST:
        alike = (tuple(_nearest(choice, share) for choice in choices) for share in _STEPS)
        combinations = iter(dict.fromkeys(alike))
    fewer = sorted({0, blocks // 3, 2 * blocks // 3})
    for widths in combinations:
        for left_out in fewer:
            yield Structure(widths, left_out)


def _widths(units: int, multiple: int) -> tuple[int, ...]:
    return (*range(multiple, units, multiple), units)


def _nearest(widths: Sequence[int], share: float) -> int:
    return min(widths, key=lambda width: (abs(width - share * widths[-1]), width))


def weighed(
    work: Work, tiers: Sequence[Tier], scores: Mapping[str, Tensor], blocks: Sequence[str], wanted: Iterator[Structure]
) -> list[Point]:
    """What each structure costs in multiply-accumulates, and what it loses of the base's saliency.

    Args:
        work: What is done.
        tiers: Of the base.
        scores: Of the base's units.
        blocks: In the order in which they are left out.
        wanted: The structures.

    Raises:
        Cancelled: the monitor says so.
    """
    whole = sum(_layer_macs(work.network, work).values())
    total = sum(float(values.sum()) for values in scores.values())
    best = {name: values.sort(descending=True).values.cumsum(0) for name, values in scores.items()}
    plans: dict[int, tuple[dict[str, int], ChannelPlan]] = {}
    found = []
    for structure in wanted:
        work.monitor.check_cancelled()
        if structure.left_out not in plans:
            network = Shape(tuple(map(Bypass, blocks[: structure.left_out]))).of(work.network)
            plans[structure.left_out] = (_layer_macs(network, work), plan_channels(network, work.input_spec))
        macs, plan = plans[structure.left_out]
        widths = group_widths(plan, tiers, structure.widths)
        kept = sum(float(best[name][width - 1]) for name, width in widths.items() if name in best)
        share = _narrowed_macs(macs, plan, widths) / whole
        found.append(Point(structure, share, 1 - kept / total if total else 0.0))
    return found


def _layer_macs(network: nn.Module, work: Work) -> dict[str, int]:
    """Multiply-accumulates of every convolution and linear layer, by name."""
    found: dict[str, int] = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(layer: nn.Module, _: object, output: Tensor) -> None:
            weight = layer.get_parameter("weight")
            found[name] = found.get(name, 0) + output[0].numel() // len(weight) * weight.numel()

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


def _narrowed_macs(macs: Mapping[str, int], plan: ChannelPlan, widths: Mapping[str, int]) -> float:
    """Multiply-accumulates that are left when groups have these widths."""
    left: dict[str, float] = dict(macs)
    for group in plan.groups:
        share = widths[group.name] / group.units
        for name in (*group.producers, *group.consumers, *group.carriers):
            if name in left:
                left[name] *= share
    return sum(left.values())


def worthwhile(points: Sequence[Point]) -> list[Point]:
    """Those that no other one beats in both multiply-accumulates and what is lost, the cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each.macs, each.lost)):
        if not best or point.lost < best[-1].lost:
            best.append(point)
    return best
