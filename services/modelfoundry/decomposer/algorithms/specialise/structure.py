"""What a specialised network looks like: a width for each tier of channels, and how many blocks it does without."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelfoundry.core.channels import ChannelPlan

MOST_TIERS: Final = 64
_PATTERN: Final = re.compile(r"[1-9][0-9]{0,5}(-[1-9][0-9]{0,5}){0,63}")


@dataclass(frozen=True, slots=True)
class Tier:
    """Groups of channels that are equally many in the base: the stages of a residual network, as a rule.

    One width for all of them: what a residual stream hands on and what its blocks compute inside stays in proportion,
    and few widths make few candidates.
    """

    units: int
    groups: tuple[str, ...]
    """Names, in the order of the network."""


@dataclass(frozen=True, slots=True)
class Structure:
    """Widths of the tiers, and how many blocks are left out: those whose loss hurts least."""

    widths: tuple[int, ...]
    left_out: int = 0

    def __str__(self) -> str:
        return text_of(self.widths) + (f", {self.left_out} blocks fewer" if self.left_out else "")


def tiers_of(plan: ChannelPlan) -> tuple[Tier, ...]:
    """The tiers of a plan, in the order in which the network first has one of each."""
    names: dict[int, list[str]] = {}
    for group in plan.groups:
        names.setdefault(group.units, []).append(group.name)
    return tuple(Tier(units, tuple(groups)) for units, groups in names.items())


def text_of(widths: Sequence[int]) -> str:
    """As settings and tables say them: `16-16-32`."""
    return "-".join(map(str, widths))


def is_text_of_widths(text: str) -> bool:
    """Whether `widths_of_text` can read it."""
    return _PATTERN.fullmatch(text) is not None


def widths_of_text(text: str) -> tuple[int, ...]:
    """Reads what `text_of` wrote.

    Raises:
        ValueError: it is something else.
    """
    if not is_text_of_widths(text):
        raise ValueError(f"{text[:40]!r} is no list of widths such as 16-16-32")
    return tuple(map(int, text.split("-")))


def halfway(tiers: Sequence[Tier], widths: Sequence[int]) -> tuple[int, ...]:
    """Widths half-way down to those that are wanted, in proportion: the geometric mean, to the nearest."""
    return tuple(round(math.sqrt(tier.units * width)) for tier, width in zip(tiers, widths, strict=True))
