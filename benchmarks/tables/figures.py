"""Figures of one label on the sealed test split, from what a module and its base answered."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from modelfoundry.core.evaluation import (
    against_base,
    base_answers,
    base_discrimination,
    discrimination,
    own_answers,
    pose_split,
    posed_figures,
)
from modelfoundry.values.figures import ClassificationMetrics, Difference, Interval
from modelfoundry.values.problems import BinaryProblem
from tables.rows import CIFAR10


def label_figures(label: str, own: Tensor, base: Tensor | None, truth: Tensor) -> dict[str, Any]:
    """Accuracies on the balanced problem with 95 % intervals, and areas under the curve on all images.

    Args:
        label: What is told from the rest.
        own: The module's outputs, [n, 2].
        base: The base's logits on the same images, [n, 10]; None: there is none.
        truth: Right label numbers, int64 [n].
    """
    posed = pose_split(truth, BinaryProblem(label), CIFAR10)
    answers = own_answers(own, posed)
    found = {"accuracy": _with_interval(posed_figures(answers, posed)), "auc": discrimination(answers, posed).auc}
    if base is None:
        return found
    rival = base_answers(base, posed)
    between, told_apart = against_base(answers, rival, posed), base_discrimination(rival, posed)
    prior = told_apart.at_prior
    if prior is None or between.accuracy_at_prior is None:
        raise ValueError("one label against the rest has a prior")
    return found | {
        "base_argmax": _with_interval(posed_figures(rival.all_labels, posed)),
        "base_prior": [prior.accuracy, *_bounds(prior.accuracy_interval)],
        "base_auc": told_apart.auc,
        "difference": _difference(between.accuracy),
        "difference_prior": _difference(between.accuracy_at_prior),
    }


def joint_figures(odds: Tensor, base: Tensor, truth: Tensor) -> dict[str, Any]:
    """Modules of all labels as one classifier, by their largest log-odds [n, 10], beside the base."""
    return {
        "joint_accuracy": float((odds.argmax(dim=1) == truth).float().mean()),
        "base_accuracy": float((base.argmax(dim=1) == truth).float().mean()),
    }


def _with_interval(found: ClassificationMetrics) -> list[float]:
    if found.accuracy_interval is None:
        raise ValueError("an accuracy without samples")
    return [found.accuracy, *_bounds(found.accuracy_interval)]


def _difference(found: Difference) -> list[float]:
    return [found.value, *_bounds(found.interval)]


def _bounds(interval: Interval) -> list[float]:
    return [interval.lower, interval.upper]
