"""Figures of answers on a posed split, and what lies between two subjects that answered the same samples."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from modelfoundry.core.evaluation.answers import Answers, BaseAnswers
from modelfoundry.core.evaluation.posing import PosedSplit
from modelfoundry.core.metrics import (
    Area,
    area_difference,
    area_interval,
    area_under_curve,
    classification,
    joined,
    mean_area,
    paired_difference,
    wilson_interval,
)
from modelfoundry.values.figures import (
    BaseComparison,
    ClassificationMetrics,
    Difference,
    DiscriminationMetrics,
    Interval,
    PriorThreshold,
)


def posed_figures(answers: Answers, posed: PosedSplit, *, outside_column: bool = False) -> ClassificationMetrics:
    """How well the posed samples were told apart; arguments beyond these are those of `classification`."""
    return classification(
        answers.predicted[posed.chosen], posed.truth[posed.chosen], posed.outputs, outside_column=outside_column
    )


def discrimination(
    answers: Answers, posed: PosedSplit, at_prior: PriorThreshold | None = None
) -> DiscriminationMetrics:
    """How well all samples of the problem were told apart, without a threshold and at the subject's own."""
    area, balanced = _area(answers, posed), _balanced(answers, posed)
    return DiscriminationMetrics(
        sample_count=int((posed.truth >= 0).sum()),
        positive_count=int(_of_labels(posed).sum()),
        auc=area.value if area else None,
        auc_interval=area_interval(area) if area else None,
        balanced_accuracy=balanced[0] if balanced else None,
        balanced_accuracy_interval=balanced[1] if balanced else None,
        at_prior=at_prior,
    )


def base_discrimination(base: BaseAnswers, posed: PosedSplit) -> DiscriminationMetrics:
    """The same of a base model over all labels, with what it answers at the threshold of the prior."""
    if base.at_prior is None:
        return discrimination(base.all_labels, posed)
    right = (base.at_prior.predicted == posed.truth)[posed.chosen]
    balanced = _balanced(base.at_prior, posed)
    if balanced is None:
        raise ValueError("a problem with a rest is posed with samples of its labels and of others")
    found = PriorThreshold(
        log_odds=base.threshold,
        accuracy=int(right.sum()) / len(right),
        accuracy_interval=wilson_interval(int(right.sum()), len(right)),
        balanced_accuracy=balanced[0],
        balanced_accuracy_interval=balanced[1],
    )
    return discrimination(base.all_labels, posed, found)


def against_base(own: Answers, base: BaseAnswers, posed: PosedSplit) -> BaseComparison:
    """A module minus its base model, sample by sample, for every way in which the base answers."""
    prior = base.at_prior
    areas = (_area(own, posed), _area(base.restricted, posed))
    return BaseComparison(
        accuracy=_posed_difference(own, base.all_labels, posed),
        accuracy_restricted=None if posed.rest else _posed_difference(own, base.restricted, posed),
        accuracy_at_prior=None if prior is None else _posed_difference(own, prior, posed),
        balanced_accuracy=_balanced_difference(own, base.all_labels, posed),
        balanced_accuracy_at_prior=None if prior is None else _balanced_difference(own, prior, posed),
        auc=area_difference(areas[0], areas[1]) if areas[0] and areas[1] else None,
    )


def _area(answers: Answers, posed: PosedSplit) -> Area | None:
    if posed.rest:
        return area_under_curve(answers.log_odds, _of_labels(posed))
    members = posed.truth >= 0
    truth, log_odds = posed.truth[members], answers.log_odds[members]
    curves = (area_under_curve(log_odds[:, place], truth == place) for place in range(posed.labels))
    return mean_area(curve for curve in curves if curve is not None)


def _balanced(answers: Answers, posed: PosedSplit) -> tuple[float, Interval] | None:
    """The mean share of right answers over the groups; None when one has no sample."""
    right = answers.predicted == posed.truth
    parts = []
    for group in _groups(posed):
        hits, count = int(right[group].sum()), int(group.sum())
        if not count:
            return None
        parts.append((hits / count, wilson_interval(hits, count)))
    return joined(parts)


def _balanced_difference(own: Answers, other: Answers, posed: PosedSplit) -> Difference:
    rights = [answers.predicted == posed.truth for answers in (own, other)]
    parts = [paired_difference(rights[0][group], rights[1][group]) for group in _groups(posed)]
    return Difference(*joined([(part.value, part.interval) for part in parts]))


def _posed_difference(own: Answers, other: Answers, posed: PosedSplit) -> Difference:
    truth = posed.truth[posed.chosen]
    return paired_difference(own.predicted[posed.chosen] == truth, other.predicted[posed.chosen] == truth)


def _groups(posed: PosedSplit) -> Iterator[Tensor]:
    """Samples that weigh as much as each other group: of the labels, and of the rest; else of every label. bool [n]."""
    if posed.rest:
        yield _of_labels(posed)
        yield posed.truth == posed.labels
        return
    for place in range(posed.labels):
        yield posed.truth == place


def _of_labels(posed: PosedSplit) -> Tensor:
    return torch.logical_and(posed.truth >= 0, posed.truth < posed.labels)
