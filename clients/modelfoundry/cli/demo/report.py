"""What the demo measured, as data and as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

from modelfoundry.cli.demo.composing import CompositionReport
from modelfoundry.cli.rendering.comparisons import Comparison, compare
from modelfoundry.cli.rendering.json_output import as_plain
from modelfoundry.client import Evaluation, Model, Module
from modelfoundry.errors import Internal

FILE_NAME: Final = "report.json"
AVERAGED: Final = (
    "original_accuracy",
    "original_accuracy_restricted",
    "module_accuracy",
    "weight_retention",
    "module_bytes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReport:
    """A module beside its base model on the module's problem. Accuracies are shares of the samples of the split."""

    label: str
    """The label, or the labels joined by commas."""
    original_accuracy: float
    """Of the base model, predicting over all of its labels."""
    original_accuracy_restricted: float
    """Of the base model, predicting over the labels of the problem only."""
    module_accuracy: float
    weight_retention: float
    module_bytes: int
    base_bytes: int
    split: str
    samples: int
    module_name: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All modules, and their averages."""

    labels: Sequence[str]
    seconds: float
    averages: Mapping[str, float]
    modules: Sequence[ModuleReport]
    composition: CompositionReport | None = None


def build_report(model: Model, modules: Sequence[Module], evaluations: Sequence[Evaluation], seconds: float) -> Report:
    """Joins modules with what was measured of them."""
    comparison_by_subject = {comparison.own.subject: comparison for comparison in compare(evaluations)}
    rows = [_row(model, module, comparison_by_subject[module.name]) for module in modules]
    averages = {field: fmean(getattr(row, field) for row in rows) for field in AVERAGED}
    return Report(labels=model.labels, seconds=round(seconds, 1), averages=averages, modules=rows)


def write_report(report: Report, folder: Path) -> Path:
    """Writes the report as JSON."""
    path = folder / FILE_NAME
    path.write_text(json.dumps(as_plain(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _row(model: Model, module: Module, comparison: Comparison) -> ModuleReport:
    return ModuleReport(
        label=",".join(module.problem.labels),
        original_accuracy=_accuracy(comparison.base_all_outputs),
        # For a binary problem both are the same, and are measured once.
        original_accuracy_restricted=_accuracy(comparison.base_restricted or comparison.base_all_outputs),
        module_accuracy=_accuracy(comparison.own),
        weight_retention=comparison.own.retention.weight_retention if comparison.own.retention else 1.0,
        module_bytes=module.artifact.size_bytes,
        base_bytes=model.weights.size_bytes,
        split=comparison.own.split,
        samples=comparison.own.sample_count,
        module_name=module.name,
        digest=module.artifact.digest,
    )


def _accuracy(evaluation: Evaluation | None) -> float:
    if evaluation is None or evaluation.classification is None:
        raise Internal("an evaluation that was asked for is missing", hint="read the evaluator's log")
    return evaluation.classification.accuracy
