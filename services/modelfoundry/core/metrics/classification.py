"""How well labels are told apart: accuracy with its interval, precision, recall, F1 and the confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from modelfoundry.core.metrics.intervals import wilson_interval
from modelfoundry.values.figures import ClassificationMetrics, ConfusionMatrix, LabelMetrics


def classification(
    predicted: torch.Tensor, true: torch.Tensor, labels: Sequence[str], *, outside_column: bool = False
) -> ClassificationMetrics:
    """Compares predictions with the truth.

    Args:
        predicted: int64 label numbers, [n]. With `outside_column` a number from `len(labels)` on is a prediction of
            something else, which is always an error.
        true: int64 label numbers, [n], each below `len(labels)`.
        labels: Names by number. Labels without samples count in the macro averages, with 0.
        outside_column: Whether predictions outside of the labels can happen; the confusion matrix then has their
            column, also when it is empty.

    Raises:
        ValueError: shapes differ, or a label number is out of range.
    """
    count = len(labels)
    columns = count + 1 if outside_column else count
    confusion = _confusion(predicted, true, count, columns)
    per_label = tuple(_label_metrics(confusion, index, label) for index, label in enumerate(labels))
    correct, samples = int(confusion.diagonal().sum()), len(true)
    return ClassificationMetrics(
        accuracy=_ratio(correct, samples),
        accuracy_interval=wilson_interval(correct, samples),
        precision=math.fsum(metrics.precision for metrics in per_label) / count,
        recall=math.fsum(metrics.recall for metrics in per_label) / count,
        f1=math.fsum(metrics.f1 for metrics in per_label) / count,
        per_label=per_label,
        confusion=ConfusionMatrix(tuple(labels), tuple(tuple(row) for row in confusion.tolist())),
    )


def _confusion(predicted: torch.Tensor, true: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    if predicted.shape != true.shape or true.dim() != 1:
        raise ValueError(f"need as many predictions as labels, got {tuple(predicted.shape)} and {tuple(true.shape)}")
    true, predicted = true.cpu(), predicted.cpu()
    if columns > rows:
        predicted = predicted.clamp(max=rows)
    for name, values, limit in (("predicted", predicted, columns), ("true", true, rows)):
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < limit:
            raise ValueError(f"{name} labels must lie in [0, {limit})")
    return torch.bincount(true * columns + predicted, minlength=rows * columns).view(rows, columns)


def _label_metrics(confusion: torch.Tensor, index: int, label: str) -> LabelMetrics:
    hits = int(confusion[index, index])
    support, claims = int(confusion[index].sum()), int(confusion[:, index].sum())
    return LabelMetrics(
        label=label,
        precision=_ratio(hits, claims),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + claims),
        support=support,
    )


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0
