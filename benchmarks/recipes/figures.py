"""Figures of a module and its base on one problem, from what both answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from study import Row

from modelfoundry.core.datasets import against_rest_indices

Numbers = NDArray[np.float64]

RESAMPLES: Final = 10_000
"""Of the paired bootstrap (Efron and Tibshirani, 1993, chapter 13)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference in percentage points with its 95 % interval."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} [{self.lower:+.2f}, {self.upper:+.2f}]"


@dataclass(frozen=True, slots=True)
class BinaryFigures:
    """A module of one label, in per cent where nothing else is said."""

    retention: float
    kib: float
    cpu_seconds: float
    validation_accuracy: float
    validation_auc: float
    accuracy: float
    """On the balanced problem of the test split, at the module's own threshold."""
    auc: float
    base_argmax: float
    base_prior: float
    """The base with its log-odds compared with those of a balanced problem."""
    base_auc: float
    difference: Interval
    """From the base's argmax."""
    difference_prior: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was kept of a row and its base."""

    row: Row
    module: Mapping[str, Any]
    base: Mapping[str, Any]

    @classmethod
    def read(cls, row: Row, folder: Path) -> Answers | None:
        """None: the row was not measured yet."""
        path = folder / f"{row.key}.npz"
        if not path.exists():
            return None
        return cls(row, dict(np.load(path)), dict(np.load(folder / f"base-{row.base.model}.npz")))

    @property
    def facts(self) -> dict[str, Any]:
        """What the search cost and gave."""
        found: dict[str, Any] = json.loads(str(self.module["facts"]))
        return found

    def columns(self) -> list[int]:
        """The labels' numbers."""
        return [self.row.base.labels.index(label) for label in self.row.labels]

    def log_odds(self, split: str) -> Numbers:
        """Of a module of one label, float64 [n]: above 0 it says yes."""
        outputs = self.module[split].astype(float)
        odds: Numbers = outputs[:, 0] - outputs[:, 1]
        return odds

    def base_log_odds(self, split: str) -> Numbers:
        """The same of the base, which decides at 0 among all labels or nearly so."""
        logits = self.base[split].astype(float)
        others = np.delete(logits, self.columns()[0], axis=1)
        odds: Numbers = logits[:, self.columns()[0]] - np.logaddexp.reduce(others, axis=1)
        return odds

    def validation_auc(self) -> float:
        """What recipes are chosen by, in per cent."""
        right = self.base["validation_labels"] == self.columns()[0]
        return 100 * float(roc_auc_score(right, self.log_odds("validation")))


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """Whether each image of the balanced problem of the test split was answered rightly, bool [n]."""

    own: Any
    argmax: Any
    """By the base's largest logit."""
    prior: Any
    """By the base's log-odds, compared with those of a balanced problem."""

    @classmethod
    def of(cls, answers: Answers) -> Posed:
        """On the images that the evaluator poses the problem with."""
        labels, column = torch.from_numpy(answers.base["test_labels"]), answers.columns()[0]
        chosen = torch.cat(against_rest_indices(labels, (column,))).numpy()
        right = (labels.numpy() == column)[chosen]
        threshold = -np.log(len(answers.row.base.labels) - 1)
        return cls(
            own=(answers.log_odds("test")[chosen] > 0) == right,
            argmax=(answers.base["test"].argmax(axis=1)[chosen] == column) == right,
            prior=(answers.base_log_odds("test")[chosen] > threshold) == right,
        )


def binary_figures(answers: Answers) -> BinaryFigures:
    """All figures of a module of one label; those of the test split are among them."""
    posed, facts = Posed.of(answers), answers.facts
    right = answers.base["test_labels"] == answers.columns()[0]
    return BinaryFigures(
        retention=100 * facts["retention"],
        kib=facts["bytes"] / 1024,
        cpu_seconds=facts["cpu_seconds"],
        validation_accuracy=100 * facts["validation_accuracy"],
        validation_auc=answers.validation_auc(),
        accuracy=100 * posed.own.mean(),
        auc=100 * float(roc_auc_score(right, answers.log_odds("test"))),
        base_argmax=100 * posed.argmax.mean(),
        base_prior=100 * posed.prior.mean(),
        base_auc=100 * float(roc_auc_score(right, answers.base_log_odds("test"))),
        difference=paired_bootstrap([posed.own], [posed.argmax]),
        difference_prior=paired_bootstrap([posed.own], [posed.prior]),
    )


def mean_differences(modules: Sequence[Answers]) -> tuple[Interval, Interval]:
    """Mean difference of many modules of one label from their base: from its argmax, and at the prior's threshold."""
    posed = [Posed.of(answers) for answers in modules]
    own = [one.own for one in posed]
    return paired_bootstrap(own, [one.argmax for one in posed]), paired_bootstrap(own, [one.prior for one in posed])


def paired_bootstrap(own: Sequence[Numbers], rival: Sequence[Numbers]) -> Interval:
    """Mean difference of two accuracies over several problems, images of each drawn again with replacement.

    Args:
        own: Whether each image was answered rightly, bool [n], for every problem.
        rival: The same of what it is compared with, on the same images.
    """
    drawn = np.random.default_rng(0)
    total = np.zeros(RESAMPLES)
    value = 0.0
    for one, other in zip(own, rival, strict=True):
        # Of n images so many are better, worse or the same; which ones is all that a resample needs.
        better, worse, n = int((one & ~other).sum()), int((other & ~one).sum()), len(one)
        counts = drawn.multinomial(n, [better / n, worse / n, 1 - (better + worse) / n], RESAMPLES)
        total += (counts[:, 0] - counts[:, 1]) / n
        value += (better - worse) / n
    share = 100 / len(own)
    lower, upper = np.quantile(total * share, [0.025, 0.975])
    return Interval(value * share, float(lower), float(upper))


def composed_accuracy(all_answers: Sequence[Answers]) -> tuple[float, float]:
    """Accuracy over all labels of the largest log-odds of modules of every label, and of the base, in per cent."""
    labels = all_answers[0].base["test_labels"]
    odds = np.stack([answers.log_odds("test") for answers in all_answers], axis=1)
    columns = np.array([answers.columns()[0] for answers in all_answers])
    base = all_answers[0].base["test"].argmax(axis=1)
    return 100 * float((columns[odds.argmax(axis=1)] == labels).mean()), 100 * float((base == labels).mean())


def group_accuracy(answers: Answers) -> tuple[float, float, Interval]:
    """Of a module of several labels on their test images, of the base restricted to them, and the difference."""
    columns = np.array(answers.columns())
    members = np.isin(answers.base["test_labels"], columns)
    right = answers.base["test_labels"][members]
    own = columns[answers.module["test"][members].argmax(axis=1)] == right
    base = columns[answers.base["test"][members][:, columns].argmax(axis=1)] == right
    return 100 * own.mean(), 100 * base.mean(), paired_bootstrap([own], [base])
