"""Budgets carried out: the cheapest structure that meets them all, the accuracy of its file among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from modelfoundry.core.channels import cut as cut_network
from modelfoundry.core.channels import operated
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.specialise.choosing import Choice, choose
from modelfoundry.decomposer.algorithms.specialise.files import calibration_images, file_accuracy, file_of
from modelfoundry.decomposer.algorithms.specialise.frontier import Point, frontier_lines, frontier_points
from modelfoundry.decomposer.algorithms.specialise.search import Specialisation, Specialised
from modelfoundry.decomposer.algorithms.specialise.settings import ANY, AUTO, BASE
from modelfoundry.decomposer.algorithms.specialise.widths import text_of
from modelfoundry.decomposer.algorithms.specialise.work import Work
from modelfoundry.errors import ConstraintUnmet
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.frontiers import Frontier

_TRIED: Final = 3
"""Structures that learn where an accuracy is asked for, the cheapest first; they share the seconds."""
_FILES: Final = 1.5
"""What the file in the end takes, in trials of files: it is calibrated on more images, and answers for validation."""


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What came of the budgets."""

    found: Specialised
    notes: tuple[str, ...]
    """What was measured, in lines for people."""
    frontier: Frontier | None = None
    """The same as figures; None: there was nothing to choose."""


def specialised(work: Work, base_accuracy: float, resume: Path | None) -> Outcome:
    """Makes the small network that the settings ask for.

    Args:
        work: What is done.
        base_accuracy: Of the base on the same validation images, in [0, 1].
        resume: Checkpoint to go on from.

    Raises:
        ConstraintUnmet: no structure meets the budgets; what came nearest stands in the message.
        UnsupportedModel, InvalidField, DatasetMismatch, Cancelled, MalformedFile: as `Specialisation`.
    """
    settings = work.settings
    if resume is not None or settings.widths != AUTO or not (work.budgets or settings.min_accuracy != ANY):
        return Outcome(Specialisation(work, resume).run(), ())
    choice = choose(work)
    if settings.min_accuracy == ANY:
        point = choice.fitting[0]
        found = Specialisation(_of(work, choice, point, 1)).run()
        why = f"of {len(choice.fitting)} structures within the budgets it loses the least of the model's saliency"
        return _outcome(work, found, _with(choice, [_measured(work, point, found)]), base_accuracy, why)
    wanted = base_accuracy if settings.min_accuracy == BASE else float(settings.min_accuracy)
    return _cheapest(work, choice, wanted, base_accuracy)


def _cheapest(work: Work, choice: Choice, wanted: float, base_accuracy: float) -> Outcome:
    """Has structures learn, the fastest first, until one is good enough."""
    order = sorted(choice.fitting, key=lambda point: point.latency)
    places = sorted({round(part * (len(order) - 1) / max(1, _TRIED - 1)) for part in range(_TRIED)})
    tried: list[Point] = []
    for number, place in enumerate(places):
        # A state of one of several searches would be taken for that of another.
        alone = replace(_of(work, choice, order[place], len(places) - number), monitor=_WithoutStates(work.monitor))
        found = Specialisation(alone).run()
        tried.append(_measured(work, order[place], found))
        if (tried[-1].accuracy or 0.0) >= wanted:
            why = f"the fastest of those that learnt whose file reaches {wanted:.2%} on validation images"
            return _outcome(work, found, _with(choice, tried), base_accuracy, why)
    best = max(tried, key=lambda point: point.accuracy or 0.0)
    path, reached = f"{work.settings.path}.min_accuracy", best.accuracy or 0.0
    raise ConstraintUnmet(
        f"{path}: no structure within the other budgets reaches {wanted:.2%} on validation images; nearest: "
        f"{best.structure} with {reached:.2%}, {wanted - reached:.2%} below",
        field=path,
        hint="ask for less, allow more bytes or time, or give more --seconds; a model that has memorised its training "
        "images is never reached on them: name a split that it never saw with --calibration",
    )


def _outcome(work: Work, found: Specialised, points: list[Point], base_accuracy: float, why: str) -> Outcome:
    """What came of it, with the points that were measured, the last of which was taken."""
    taken, compute = points[-1].structure, Compute(work.settings.compute)
    weights = WeightFormat.INT8 if compute is Compute.INT8 else WeightFormat(work.settings.weights)
    frontier = Frontier(weights=weights, compute=compute, points=frontier_points(points, taken), reason=why)
    return Outcome(found, frontier_lines(points, taken, base_accuracy), frontier)


def _of(work: Work, choice: Choice, point: Point, tries: int) -> Work:
    """The work on one structure, in a share of the seconds that are left, less what its file will take."""
    structure, spent, seconds = point.structure, work.clock.seconds, work.settings.seconds
    if seconds:
        seconds = max(1.0, spent + (seconds - spent) / tries - _FILES * choice.file_seconds)
    settings = replace(work.settings, widths=text_of(structure.widths), left_out=structure.left_out, seconds=seconds)
    return replace(work, settings=settings)


def _measured(work: Work, point: Point, found: Specialised) -> Point:
    """The point with bytes and accuracy of the file that came of it."""
    network = cut_network(operated(work.network, found.shape.bypasses), found.shape.cuts).eval()
    network.load_state_dict({name: tensor.float() for name, tensor in found.tensors.items()}, strict=False)
    content = file_of(network, network_of_head(found.head), work, calibration_images(work))
    return replace(point, bytes=len(content), accuracy=file_accuracy(content, work))


def _with(choice: Choice, tried: list[Point]) -> list[Point]:
    """Everything that was measured, what was tried last at the end."""
    learnt = {point.structure for point in tried}
    return [*(point for point in choice.timed if point.structure not in learnt), *tried]


class _WithoutStates:
    """Passes everything on but the offers of a state."""

    def __init__(self, monitor: Monitor) -> None:
        self.progress, self.check_cancelled = monitor.progress, monitor.check_cancelled

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        """Takes none."""
