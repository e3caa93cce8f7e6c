"""What subjects answer on a problem, and how sure they are, from logits that were computed once.

Log-odds are computed in float64: in float32 the surest samples of a good network would tie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.core.evaluation.posing import PosedSplit


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a subject answers to every sample of a split."""

    predicted: Tensor
    """Output numbers, int64 [n]. Without a rest the number of labels stands for an answer of none of them."""
    log_odds: Tensor
    """float64: with a rest [n], of the problem's labels together against the rest; else [n, labels], each against the
    others that compete."""


@dataclass(frozen=True, eq=False, slots=True)
class BaseAnswers:
    """What a base model answers, in every way that there is."""

    all_labels: Answers
    """All of its labels compete."""
    restricted: Answers
    """Only the problem's outputs compete. With a rest the same again: it is all other labels."""
    at_prior: Answers | None
    """With a rest: by the log-odds, at the threshold of the prior."""
    threshold: float
    """That threshold; 0 without a rest."""


def own_answers(logits: Tensor, posed: PosedSplit) -> Answers:
    """Of a module, from its own outputs, [n, outputs]."""
    predicted = logits.argmax(dim=1)
    if not posed.rest:
        return Answers(predicted, _odds_of_each(logits.double()))
    exact = logits.double()
    return Answers(predicted, exact[:, :-1].logsumexp(dim=1) - exact[:, -1])


def base_answers(logits: Tensor, posed: PosedSplit) -> BaseAnswers:
    """Of a base model, from the logits of all its labels, [n, N]."""
    all_labels = model_answers(logits, posed)
    if not posed.rest:
        return BaseAnswers(all_labels, own_answers(logits[:, list(posed.columns)], posed), None, 0.0)
    threshold = prior_threshold(posed.labels, logits.shape[1])
    likeliest = logits[:, list(posed.columns)].argmax(dim=1)
    at_prior = torch.where(all_labels.log_odds > threshold, likeliest, posed.labels)
    return BaseAnswers(all_labels, all_labels, Answers(at_prior, all_labels.log_odds), threshold)


def model_answers(logits: Tensor, posed: PosedSplit) -> Answers:
    """Of a model or composition all of whose labels compete, from their logits, [n, N]."""
    columns = list(posed.columns)
    positions = torch.full((logits.shape[1],), posed.labels)
    positions[columns] = torch.arange(posed.labels)
    predicted = positions[logits.argmax(dim=1)]
    exact = logits.double()
    if not posed.rest:
        return Answers(predicted, _odds_of_each(exact)[:, columns])
    others = [column for column in range(logits.shape[1]) if column not in set(columns)]
    return Answers(predicted, exact[:, columns].logsumexp(dim=1) - exact[:, others].logsumexp(dim=1))


def prior_threshold(labels: int, of: int) -> float:
    """Log-odds at which a model that saw all labels equally often should say that an image is of some of them.

    When half of the images are of these labels, the odds are those that the model gives, times (of - labels) / labels.

    Args:
        labels: Number of labels of the problem.
        of: Number of labels of the model, more than these.
    """
    return -math.log((of - labels) / labels)


def _odds_of_each(logits: Tensor) -> Tensor:
    """Log-odds of every output against all others, [n, outputs], from logits of this shape, float64.

    One minus a share loses its digits near 1, which only the greatest can be: for that one the others are summed up.
    """
    if logits.shape[1] < 2:
        return logits
    shares = logits.log_softmax(dim=1)
    odds = shares - torch.log1p(-shares.exp())
    greatest = logits.argmax(dim=1, keepdim=True)
    others = logits.scatter(1, greatest, -math.inf).logsumexp(dim=1, keepdim=True)
    return odds.scatter(1, greatest, logits.gather(1, greatest) - others)
