"""The structure for some budgets: candidates are written with weights that mean nothing, and timed, first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from modelfoundry.core.batches import to_input
from modelfoundry.core.channels import Bypass, plan_channels, plan_cuts
from modelfoundry.core.channels import cut as cut_network
from modelfoundry.decomposer.algorithms.distilling.drawing import BalancedDraws
from modelfoundry.decomposer.algorithms.specialise.blocks import blocks_by_harm, harm_images
from modelfoundry.decomposer.algorithms.specialise.candidates import structures, weighed, worthwhile
from modelfoundry.decomposer.algorithms.specialise.files import base_file, shares_of_time, trial_file
from modelfoundry.decomposer.algorithms.specialise.frontier import Point
from modelfoundry.decomposer.algorithms.specialise.rounds import SCORED_BATCH, SCORED_BATCHES, scored
from modelfoundry.decomposer.algorithms.specialise.saliency import first_units
from modelfoundry.decomposer.algorithms.specialise.structure import Structure, group_widths, tiers_of
from modelfoundry.decomposer.algorithms.specialise.work import Clock, Shape, Work
from modelfoundry.errors import ConstraintUnmet

_TIMED: Final = 4
"""Files that are written and timed at first, spread over the frontier; each takes seconds."""
_NEARER: Final = 3
"""Further ones between the best that fits and the next that does not."""
_WEIGHT_BYTES: Final = {"fp32": 4, "fp16": 2, "int8": 1}


@dataclass(frozen=True, slots=True)
class Choice:
    """Structures within the budgets, the one that loses least first, and all that were timed."""

    fitting: tuple[Point, ...]
    timed: tuple[Point, ...]
    file_seconds: float = 0.0
    """That a file took to be written and timed."""


def choose(work: Work) -> Choice:
    """Finds structures whose files meet the budgets of bytes, time and multiply-accumulates.

    Raises:
        ConstraintUnmet: there is none; what came nearest stands in the message.
        UnsupportedModel: no channel of the base can be cut, or it has no ONNX form.
        Cancelled: the monitor says so.
    """
    plan = work.plan
    tiers = tiers_of(plan)
    draws = BalancedDraws(work.train.labels, work.target, work.seed)
    batches = (
        to_input(work.train.images[draws.draw(f"candidates {batch}", SCORED_BATCH)], work.input_spec, work.device)
        for batch in range(SCORED_BATCHES)
    )
    scores = scored(work.network, plan, batches, work, place=2)
    blocks = blocks_by_harm(work.network, harm_images(work), work)
    points = weighed(work, tiers, scores, blocks, structures(tiers, len(blocks)))
    within = [point for point in points if not work.settings.max_macs or point.macs <= work.settings.max_macs]
    if not within:
        nearest = min(points, key=lambda point: point.macs)
        raise _unmet(work, f"{nearest.structure} has {nearest.macs:.1%} of the multiply-accumulates", "max_macs")
    return _timed(_Trials(work, tuple(blocks)), within)


class _Trials:
    """Files of structures, each written and timed once."""

    def __init__(self, work: Work, blocks: tuple[str, ...]) -> None:
        self.work, self._blocks, self._base = work, blocks, base_file(work)
        self.known: dict[Structure, Point] = {}
        self.seconds = 0.0
        """Of the last one."""

    def measured(self, point: Point) -> Point:
        """The point with bytes and time of its file."""
        if point.structure not in self.known:
            clock = Clock()
            self.known[point.structure] = _measured(self.work, point, self._blocks, self._base)
            self.seconds = clock.seconds
        return self.known[point.structure]


def _timed(trials: _Trials, points: Sequence[Point]) -> Choice:
    """Times some points of the frontier, then some nearer to where the budgets end."""
    work = trials.work
    front = worthwhile(_light(trials, points))
    places = sorted({round(part * (len(front) - 1) / max(1, _TIMED - 1)) for part in range(_TIMED)})
    timed = {place: trials.measured(front[place]) for place in places}
    for _ in range(_NEARER):
        good = [place for place, point in timed.items() if _fits(work, point)]
        best = max(good, default=-1)
        bad = min((place for place in timed if place > best), default=len(front))
        between = (best + bad) // 2
        if between in timed or not 0 <= between < len(front) or between == best:
            break
        timed[between] = trials.measured(front[between])
    found = tuple(trials.known.values())
    fitting = sorted((point for point in found if _fits(work, point)), key=lambda point: point.lost)
    if not fitting:
        raise _unmet(work, *_nearest(work, found))
    return Choice(tuple(fitting), found, trials.seconds)


def _light(trials: _Trials, points: Sequence[Point]) -> Sequence[Point]:
    """Those whose files are likely to be small enough: as the file of the lightest is, for its weights.

    Raises:
        ConstraintUnmet: even that one is too large.
    """
    work, settings = trials.work, trials.work.settings
    if not settings.max_bytes:
        return points
    each = _WEIGHT_BYTES["int8" if settings.compute == "int8" else settings.weights]
    lightest = trials.measured(min(points, key=lambda point: point.weights))
    if lightest.bytes > settings.max_bytes:
        raise _unmet(work, *_nearest(work, [lightest]))
    beside = lightest.bytes - each * lightest.weights
    return [point for point in points if each * point.weights + beside <= settings.max_bytes]


def _measured(work: Work, point: Point, blocks: tuple[str, ...], base: bytes) -> Point:
    work.monitor.check_cancelled()
    network = Shape(tuple(map(Bypass, blocks[: point.structure.left_out]))).of(work.network)
    plan = plan_channels(network, work.input_spec)
    tiers = tiers_of(work.plan)
    widths = group_widths(plan, tiers, point.structure.widths)
    content = trial_file(cut_network(network, plan_cuts(plan, first_units(plan, widths))), work)
    (share,) = shares_of_time(base, [content], work)
    return replace(point, bytes=len(content), latency=share)


def _fits(work: Work, point: Point) -> bool:
    settings = work.settings
    return (not settings.max_bytes or point.bytes <= settings.max_bytes) and (
        not settings.max_latency or point.latency <= settings.max_latency
    )


def _excess(work: Work, point: Point) -> tuple[float, str, str]:
    """By what factor a point misses its worst budget, in words, and which that is."""
    settings, found = work.settings, [(0.0, "", "")]
    if settings.max_bytes:
        what = f"{point.structure} has {point.bytes:,} bytes, {point.bytes - settings.max_bytes:,} too many"
        found.append((point.bytes / settings.max_bytes, what, "max_bytes"))
    if settings.max_latency:
        over = point.latency - settings.max_latency
        what = f"{point.structure} takes {point.latency:.1%} of the model's time, {over:.1%} of it too much"
        found.append((point.latency / settings.max_latency, what, "max_latency"))
    return max(found)


def _nearest(work: Work, points: Sequence[Point]) -> tuple[str, str]:
    _, what, setting = min(_excess(work, point) for point in points)
    return what, setting


def _unmet(work: Work, nearest: str, setting: str) -> ConstraintUnmet:
    path = f"{work.settings.path}.{setting}"
    return ConstraintUnmet(
        f"{path}: no structure meets the budget; nearest: {nearest}",
        field=path,
        hint="allow more, or give --weights int8 or --compute int8 where bytes or time count",
    )
