"""What speaks against relying on what was made or measured, below the tables that show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.tables import print_remark

if TYPE_CHECKING:
    from modelfoundry.values.doubts import Doubt


def print_doubts(doubts: Iterable[tuple[str, Sequence[Doubt]]]) -> None:
    """Prints a line on stderr for every doubt, with the name of what it is about."""
    for name, found in doubts:
        for doubt in found:
            print_remark(f"! {name}: {doubt.text}")
