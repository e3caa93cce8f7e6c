"""What a specialised network looks like: a width for each tier of channels, and how many blocks it does without."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelfoundry.core.channels import ChannelGroup, ChannelPlan
from modelfoundry.decomposer.algorithms.specialise.widths import text_of


@dataclass(frozen=True, slots=True)
class Tier:
    """Groups of channels that are equally many in the base: the stages of a residual network, as a rule.

    One width for all of them: what a residual stream hands on and what its blocks compute inside stays in proportion,
    and few widths make few candidates.
    """

    units: int
    groups: tuple[str, ...]
    """Names, in the order of the network."""
    channels: int = 1
    """That are written for each of them: a head of attention is many."""

    def multiple(self, channels: int) -> int:
        """Of how many units widths are multiples when layers are to have multiples of so many channels."""
        return max(1, channels // self.channels)


@dataclass(frozen=True, slots=True)
class Structure:
    """Widths of the tiers, and how many blocks are left out: those whose loss hurts least."""

    widths: tuple[int, ...]
    left_out: int = 0

    def __str__(self) -> str:
        return text_of(self.widths) + (f", {self.left_out} blocks fewer" if self.left_out else "")


def tiers_of(plan: ChannelPlan) -> tuple[Tier, ...]:
    """The tiers of a plan, in the order in which the network first has one of each."""
    members: dict[int, list[ChannelGroup]] = {}
    for group in plan.groups:
        members.setdefault(group.units, []).append(group)
    return tuple(
        Tier(units, tuple(group.name for group in groups), min(map(_channels, groups)))
        for units, groups in members.items()
    )


def _channels(group: ChannelGroup) -> int:
    """Channels that a layer writes for a unit of a group."""
    return min(int((units == units[units >= 0][0]).count_nonzero()) for units in group.producers.values())


def group_widths(plan: ChannelPlan, tiers: Sequence[Tier], widths: Sequence[int]) -> dict[str, int]:
    """The width of every group of a plan.

    Args:
        plan: Of the base, or of the base without some blocks.
        tiers: Of the base.
        widths: One for each tier.

    Raises:
        ValueError: there are not as many widths as tiers, or one is wider than its tier.
    """
    if len(widths) != len(tiers) or any(width > tier.units for tier, width in zip(tiers, widths, strict=False)):
        raise ValueError(f"{text_of(widths)} are no widths within {text_of([tier.units for tier in tiers])}")
    by_units = {tier.units: width for tier, width in zip(tiers, widths, strict=True)}
    return {group.name: by_units[group.units] for group in plan.groups}


def halfway(plan: ChannelPlan, widths: Mapping[str, int]) -> dict[str, int]:
    """Widths half-way down to those that are wanted, in proportion: the geometric mean, to the nearest."""
    return {group.name: round(math.sqrt(group.units * widths[group.name])) for group in plan.groups}
