"""Points between small and good, for people: a table and a chart in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelfoundry.decomposer.algorithms.specialise.structure import Structure
from modelfoundry.values.frontiers import FrontierPoint

_BAR: Final = 30


@dataclass(frozen=True, slots=True)
class Point:
    """A structure and what its file costs."""

    structure: Structure
    macs: float
    """Multiply-accumulates, as a share of the base's."""
    lost: float
    """Share of the base's saliency for the problem that is cut away, in [0, 1]: the less, the better it is likely to
    be."""
    bytes: int = 0
    """Of its ONNX file; 0: not written."""
    latency: float = 0.0
    """Time of a pass as a share of the base's float32 file; 0: not measured."""
    accuracy: float | None = None
    """Of the file on validation images after learning; None: not tried."""
    weights: int = 0
    """Of convolutions and linear layers."""


def frontier_lines(points: Sequence[Point], chosen: Structure | None, base_accuracy: float) -> tuple[str, ...]:
    """A line for each point, the fastest first, with a bar as long as its pass takes.

    Args:
        points: Those that were measured.
        chosen: The structure that was taken, if one was.
        base_accuracy: Of the base on the same images, in [0, 1].
    """
    rows = [f"{'structure':<28} {'MACs':>6} {'KiB':>7} {'time':>6} {'lost':>6} {'accuracy':>9}  of the base's time"]
    for point in sorted(points, key=lambda each: each.latency):
        accuracy = "" if point.accuracy is None else f"{100 * point.accuracy:.2f}"
        bar = "#" * max(1, round(_BAR * min(1.0, point.latency)))
        mark = " <- taken" if point.structure == chosen else ""
        costs = f"{100 * point.macs:>5.1f}% {point.bytes / 1024:>7.1f} {100 * point.latency:>5.1f}%"
        gains = f"{100 * point.lost:>5.1f}% {accuracy:>9}"
        rows.append(f"{point.structure!s:<28} {costs} {gains}  |{bar:<{_BAR}}|{mark}")
    return (*rows, f"accuracy of the base on the same validation images: {100 * base_accuracy:.2f}")


def frontier_points(points: Sequence[Point], taken: Structure) -> tuple[FrontierPoint, ...]:
    """The same as records keep them, the fastest first.

    Args:
        points: Those that were measured.
        taken: The structure that was taken.
    """
    return tuple(
        FrontierPoint(
            structure=str(point.structure),
            macs=point.macs,
            lost=point.lost,
            bytes=point.bytes,
            latency=point.latency,
            accuracy=point.accuracy,
            taken=point.structure == taken,
        )
        for point in sorted(points, key=lambda each: each.latency)
    )
