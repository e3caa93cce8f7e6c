from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from modelfoundry.core.metrics import classification, wilson_interval

LABELS = ("a", "b", "c", "d")
pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=50)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_all_scores_are_those_of_scikit_learn(samples: list[tuple[int, int]]) -> None:
    predicted, true = (np.array(column) for column in zip(*samples, strict=True))
    found = classification(torch.from_numpy(predicted), torch.from_numpy(true), LABELS, outside_column=True)
    assert found.accuracy == pytest.approx(accuracy_score(true, predicted))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=range(4), average=None, zero_division=0
    )
    assert [m.precision for m in found.per_label] == pytest.approx(precision.tolist())
    assert [m.recall for m in found.per_label] == pytest.approx(recall.tolist())
    assert [m.f1 for m in found.per_label] == pytest.approx(f1.tolist())
    assert [m.support for m in found.per_label] == support.tolist()
    macro = precision_recall_fscore_support(true, predicted, labels=range(4), average="macro", zero_division=0)
    assert (found.precision, found.recall, found.f1) == pytest.approx(macro[:3])
    assert np.array_equal(found.confusion.rows, confusion_matrix(true, predicted, labels=range(5))[:4])


def test_every_prediction_outside_of_the_labels_is_in_the_last_column() -> None:
    found = classification(torch.tensor([0, 2, 7, 1]), torch.tensor([0, 0, 1, 1]), ("a", "b"), outside_column=True)
    assert found.confusion.rows == ((1, 0, 1), (0, 1, 1))
    assert found.accuracy == 0.5
    assert [m.precision for m in found.per_label] == [1.0, 1.0]


def test_without_outside_column_a_label_outside_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"predicted labels must lie in \[0, 2\)"):
        classification(torch.tensor([0, 2]), torch.tensor([0, 1]), ("a", "b"))
    with pytest.raises(ValueError, match="true labels"):
        classification(torch.tensor([0, 2]), torch.tensor([0, 2]), ("a", "b"), outside_column=True)
    with pytest.raises(ValueError, match="as many predictions"):
        classification(torch.tensor([0]), torch.tensor([0, 1]), ("a", "b"))


def test_no_samples_give_zeros_and_an_interval_that_says_nothing() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    found = classification(none, none, ("a", "b"))
    assert (found.accuracy, found.precision, found.recall, found.f1) == (0, 0, 0, 0)
    assert (found.accuracy_interval.lower, found.accuracy_interval.upper) == (0, 1)


@pytest.mark.parametrize(
    ("successes", "trials", "lower", "upper"),
    [  # Published: Newcombe 1998, table I, "score" without continuity correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(successes: int, trials: int, lower: float, upper: float) -> None:
    interval = wilson_interval(successes, trials)
    assert (interval.lower, interval.upper) == pytest.approx((lower, upper), abs=5e-5)
    assert interval.level == 0.95


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_solves_the_score_equation_and_holds_the_share(case: tuple[int, int]) -> None:
    successes, trials = case
    share, interval = successes / trials, wilson_interval(successes, trials)
    assert 0 <= interval.lower <= share <= interval.upper <= 1
    for bound in {interval.lower, interval.upper} - {0.0, 1.0}:
        z = abs(share - bound) / math.sqrt(bound * (1 - bound) / trials)
        assert z == pytest.approx(1.959964, abs=1e-4)
