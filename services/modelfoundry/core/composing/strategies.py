"""Choosing one member for every label: label by label as GradSplitter does, or with an eye on the joint prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from modelfoundry.core.composing.table import ScoreTable, Selection

BEAM_WIDTH: Final = 8
"""Selections that the joint search goes on from: one alone stops at the first top that it climbs."""
DEFAULT_STRATEGY: Final = "joint"


def per_label(table: ScoreTable) -> Selection:
    """The best candidate of every label by its own score; of equal ones the smaller, then the first by name."""
    return (0,) * len(table.labels)


def joint(table: ScoreTable) -> Selection:
    """Searches for members that together predict more validation images rightly.

    A beam search from `per_label`: every round replaces one member in each kept selection in all possible ways, and
    keeps the best. Better is more right predictions of the joint argmax, and at as many a lower cross-entropy. It ends
    when a round finds nothing better than the best so far, which is never below `per_label`.

    Returns:
        The same for the same table.
    """
    start = per_label(table)
    best = _Ranked(start, *_joint_figures(table, start))
    beam, seen = [best], {start}
    while True:
        found = [ranked for parent in beam for ranked in _neighbours(table, parent.selection, seen)]
        if not found:
            return best.selection
        beam = sorted(found, key=_Ranked.order)[:BEAM_WIDTH]
        if beam[0].order() >= best.order():
            return best.selection
        best = beam[0]


STRATEGIES: Final[Mapping[str, Callable[[ScoreTable], Selection]]] = {"per_label": per_label, "joint": joint}


@dataclass(frozen=True, slots=True)
class _Ranked:
    selection: Selection
    right: int
    cross_entropy: float

    def order(self) -> tuple[int, float, Selection]:
        return (-self.right, self.cross_entropy, self.selection)


def _joint_figures(table: ScoreTable, selection: Selection) -> tuple[int, float]:
    """Right predictions and mean cross-entropy of a selection."""
    log_odds = table.log_odds(selection)
    right = int((log_odds.argmax(dim=1) == table.true).sum())
    return right, float(functional.cross_entropy(log_odds.double(), table.true))


def _neighbours(table: ScoreTable, selection: Selection, seen: set[Selection]) -> Iterator[_Ranked]:
    """All selections with one other member that were not seen yet."""
    log_odds = table.log_odds(selection)
    for label, row in enumerate(table.rows):
        fresh = []
        for place in range(len(row)):
            changed = (*selection[:label], place, *selection[label + 1 :])
            if changed not in seen:
                seen.add(changed)
                fresh.append((changed, row[place].log_odds))
        if fresh:
            right, cross_entropy = _figures_with(log_odds, table.true, label, torch.stack([z for _, z in fresh]))
            for place, (changed, _) in enumerate(fresh):
                yield _Ranked(changed, int(right[place]), float(cross_entropy[place]))


def _figures_with(log_odds: Tensor, true: Tensor, label: int, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Right predictions and mean cross-entropy when one label's column is replaced, without computing the others anew.

    Args:
        log_odds: float32 [n, labels].
        true: int64 [n].
        label: Number of the column.
        columns: What it is replaced by, float32 [k, n].

    Returns:
        int64 [k] and float64 [k].
    """
    others = log_odds.clone()
    others[:, label] = -torch.inf
    largest, where = others.max(dim=1)
    # Of equal ones argmax takes the first.
    wins = (columns > largest) | ((columns == largest) & (where > label))
    is_label = true == label
    right = torch.where(is_label, wins, ~wins & (where == true)).sum(dim=1)
    total = torch.logaddexp(torch.logsumexp(others.double(), dim=1), columns.double())
    own = torch.where(is_label, columns.double(), log_odds.double().gather(1, true[:, None])[:, 0])
    return right, (total - own).mean(dim=1)
