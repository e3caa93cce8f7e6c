"""What a search within budgets had to choose from: networks between small and good."""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.values.file_forms import Compute, ExportForm, WeightFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """A network that could be built, and what its file costs. See `frontier.proto` for each field."""

    structure: str
    macs: float
    lost: float
    bytes: int
    latency: float
    accuracy: float | None = None
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The points of a search, the fastest first, and why that one was taken.

    `weights` and `compute` say the form of the files that were measured.
    """

    weights: WeightFormat = WeightFormat.FP32
    compute: Compute = Compute.FP32
    points: tuple[FrontierPoint, ...] = ()
    reason: str = ""

    @property
    def form(self) -> ExportForm:
        """Of the files that were measured."""
        return ExportForm(weights=self.weights, compute=self.compute)

    @property
    def taken(self) -> FrontierPoint | None:
        """The point that became the module."""
        return next((point for point in self.points if point.taken), None)
