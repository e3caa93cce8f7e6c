"""What is said of a whole split: log-odds, thresholds, areas and what lies between a module and its base."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.evaluation import (
    against_base,
    base_answers,
    base_discrimination,
    discrimination,
    model_answers,
    own_answers,
    pose,
    pose_labels,
    pose_split,
    posed_figures,
    prior_threshold,
)
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

LABELS = ("ant", "bee", "cat", "dog")
PROBLEMS = [
    pytest.param(BinaryProblem("cat"), id="binary"),
    pytest.param(OpenSetProblem(("dog", "bee")), id="open set"),
    pytest.param(MultiClassProblem(("dog", "ant", "bee")), id="multi-class"),
]


def _split(count: int = 400, skill: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Labels of a split, and logits of a model that knows something of them."""
    varying = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=varying)
    logits = torch.randn(count, 4, generator=varying)
    logits[torch.arange(count), labels] += skill
    return labels, logits


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_samples_posed_are_those_that_posing_gives(problem: Problem) -> None:
    labels, _ = _split()
    images = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1)
    expected = pose(ImageSet(images, labels), problem, LABELS)
    posed = pose_split(labels, problem, LABELS)
    assert torch.equal(images[posed.chosen], expected.images)
    assert torch.equal(posed.truth[posed.chosen], expected.labels)
    assert posed.outputs == problem.outputs


def test_a_binary_problem_has_the_figures_of_scikit_learn_on_all_samples() -> None:
    labels, logits = _split()
    posed = pose_split(labels, BinaryProblem("cat"), LABELS)
    found = base_discrimination(base_answers(logits, posed), posed)
    cats, odds = labels == 2, logits[:, 2].double() - logits[:, [0, 1, 3]].double().logsumexp(dim=1)
    assert (found.sample_count, found.positive_count) == (400, int(cats.sum()))
    assert found.auc == pytest.approx(roc_auc_score(cats, odds))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(cats, logits.argmax(dim=1) == 2))
    assert found.at_prior is not None
    assert found.at_prior.log_odds == -math.log(3)
    assert found.at_prior.balanced_accuracy == pytest.approx(balanced_accuracy_score(cats, odds > -math.log(3)))
    answered = (odds > -math.log(3))[posed.chosen] == cats[posed.chosen]
    assert found.at_prior.accuracy == pytest.approx(float(answered.double().mean()))


def test_a_base_is_lifted_by_the_prior_and_its_area_stays() -> None:
    """Posed half and half, a model that was trained on one label in four says "the rest" too often."""
    labels, logits = _split(4000, skill=1.5)
    posed = pose_split(labels, BinaryProblem("ant"), LABELS)
    found = base_discrimination(base_answers(logits, posed), posed)
    assert found.at_prior is not None
    assert found.at_prior.accuracy > posed_figures(base_answers(logits, posed).all_labels, posed).accuracy + 0.01
    assert found.at_prior.balanced_accuracy > found.balanced_accuracy + 0.01


@pytest.mark.parametrize(("labels", "of", "odds"), [(1, 10, -math.log(9)), (5, 10, 0.0), (3, 4, math.log(3))])
def test_the_threshold_of_the_prior_follows_from_numbers_of_labels(labels: int, of: int, odds: float) -> None:
    assert prior_threshold(labels, of) == pytest.approx(odds)


def test_an_open_set_weighs_its_labels_together_as_much_as_the_rest() -> None:
    labels, logits = _split()
    posed = pose_split(labels, OpenSetProblem(("dog", "bee")), LABELS)
    found = discrimination(model_answers(logits, posed), posed)
    chosen, ours = logits.argmax(dim=1), (labels == 3) | (labels == 1)
    shares = [
        float((chosen == labels)[ours].double().mean()),
        float(((chosen == 0) | (chosen == 2))[~ours].double().mean()),
    ]
    assert found.balanced_accuracy == pytest.approx(sum(shares) / 2)
    odds = logits[:, [3, 1]].double().logsumexp(dim=1) - logits[:, [0, 2]].double().logsumexp(dim=1)
    assert found.auc == pytest.approx(roc_auc_score(ours, odds))


def test_without_a_rest_the_area_is_the_mean_of_each_label_against_the_others() -> None:
    labels, logits = _split()
    problem = MultiClassProblem(("dog", "ant", "bee"))
    posed = pose_split(labels, problem, LABELS)
    answers = base_answers(logits, posed)
    members = labels != 2
    shares = logits[members][:, [3, 0, 1]].double().softmax(dim=1)
    truth = torch.tensor([1, 2, -1, 0])[labels[members]]
    found = discrimination(answers.restricted, posed)
    assert found.auc == pytest.approx(roc_auc_score(truth, shares, multi_class="ovr", average="macro"))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, shares.argmax(dim=1)))
    assert found.sample_count == found.positive_count == int(members.sum())
    assert answers.at_prior is None
    assert base_discrimination(answers, posed).at_prior is None


def test_log_odds_keep_their_order_where_shares_round_to_one() -> None:
    logits = torch.tensor([[90.0, 0.0, 1.0], [80.0, 0.0, 1.0], [0.0, 60.0, 1.0]])
    odds = model_answers(logits, pose_labels(torch.tensor([0, 0, 1]), LABELS[:3], range(3))).log_odds
    for row, values in enumerate(logits.double()):
        for place in range(3):
            others = torch.cat([values[:place], values[place + 1 :]]).logsumexp(dim=0)
            assert float(odds[row, place]) == pytest.approx(float(values[place] - others), rel=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_module_that_is_its_base_lies_nowhere_from_it(problem: Problem) -> None:
    labels, logits = _split()
    posed = pose_split(labels, problem, LABELS)
    base = base_answers(logits, posed)
    columns = list(posed.columns)
    rest = [logits[:, [c for c in range(4) if c not in columns]].logsumexp(dim=1, keepdim=True)] if posed.rest else []
    found = against_base(own_answers(torch.cat([logits[:, columns], *rest], dim=1), posed), base, posed)
    assert found.auc is not None
    assert found.auc.value == pytest.approx(0, abs=1e-4)
    if posed.rest:
        assert found.accuracy_restricted is None
        assert found.accuracy_at_prior is not None
        assert found.balanced_accuracy_at_prior is not None
    else:
        assert found.accuracy_restricted is not None
        assert found.accuracy_restricted.value == 0
        assert found.accuracy_restricted.interval.lower < 0 < found.accuracy_restricted.interval.upper
        assert found.accuracy_at_prior is None
        assert found.balanced_accuracy_at_prior is None


def test_differences_are_those_of_the_figures_beside_them() -> None:
    labels, logits = _split()
    posed = pose_split(labels, BinaryProblem("bee"), LABELS)
    base, own = base_answers(logits, posed), own_answers(_split(skill=3.0, seed=4)[1][:, :2], posed)
    found, told, rival = against_base(own, base, posed), discrimination(own, posed), base_discrimination(base, posed)
    assert rival.at_prior is not None
    for difference, mine, its in (
        (found.auc, told.auc, rival.auc),
        (found.balanced_accuracy, told.balanced_accuracy, rival.balanced_accuracy),
        (found.balanced_accuracy_at_prior, told.balanced_accuracy, rival.at_prior.balanced_accuracy),
        (found.accuracy, posed_figures(own, posed).accuracy, posed_figures(base.all_labels, posed).accuracy),
        (found.accuracy_at_prior, posed_figures(own, posed).accuracy, rival.at_prior.accuracy),
    ):
        assert difference is not None
        assert mine is not None
        assert its is not None
        assert difference.value == pytest.approx(mine - its)
        assert difference.interval.lower < difference.value < difference.interval.upper


def test_what_cannot_be_said_is_left_out() -> None:
    one = discrimination(
        model_answers(_split()[1][:9], posed := pose_labels(torch.zeros(9, dtype=torch.int64), LABELS, range(4))), posed
    )
    assert (one.auc, one.auc_interval, one.balanced_accuracy, one.balanced_accuracy_interval) == (
        None,
        None,
        None,
        None,
    )
    assert one.sample_count == 9
