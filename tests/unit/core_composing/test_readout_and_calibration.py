from __future__ import annotations

import math

import pytest
import torch

from modelfoundry.core.composing import Calibration, Readout, fit_calibration, log_odds, one_vs_rest, readout_of
from modelfoundry.core.modules import LogOdds
from modelfoundry.errors import InvalidField
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

LOGITS = torch.randn(50, 4, generator=torch.Generator().manual_seed(1)) * 5


def test_log_odds_of_a_softmax_are_those_of_its_probability() -> None:
    probabilities = LOGITS.double().softmax(dim=1)[:, 2]
    expected = torch.log(probabilities / (1 - probabilities))
    torch.testing.assert_close(log_odds(LOGITS.double(), Readout(2)), expected)


def test_log_odds_stay_finite_where_the_probability_is_one() -> None:
    found = log_odds(torch.tensor([[200.0, 0.0, 0.0]]), Readout(0))
    assert found.item() == pytest.approx(200 - math.log(2))


def test_a_label_beside_rest_is_measured_against_rest_alone() -> None:
    assert readout_of(("cat", "rest"), "cat", BinaryProblem("cat")) == Readout(0, rest=1)
    problem = OpenSetProblem(("cat", "dog", "cow"))
    readout = readout_of(problem.outputs, "dog", problem)
    assert readout == Readout(1, rest=3)
    torch.testing.assert_close(log_odds(LOGITS, readout), LOGITS[:, 1] - LOGITS[:, 3])


def test_without_rest_all_other_outputs_speak_against_a_label() -> None:
    assert readout_of(("cat", "dog"), "dog", MultiClassProblem(("cat", "dog"))) == Readout(1)
    assert readout_of(("cat", "rest"), "cat", None) == Readout(0)  # a model that calls a label so


SMALL = LOGITS / 5
PROBABILITIES = SMALL.double().softmax(1)


@pytest.mark.parametrize(
    "problem",
    [BinaryProblem("c"), OpenSetProblem(("c", "a")), MultiClassProblem(("c", "a")), MultiClassProblem(("c", "a", "d"))],
    ids=["binary", "open set", "two labels", "three labels"],
)
def test_a_module_of_log_odds_says_of_each_label_what_its_network_says_of_it_against_all_others(
    problem: BinaryProblem | OpenSetProblem | MultiClassProblem,
) -> None:
    columns = tuple("abcd".index(label) for label in problem.labels)
    head = LogOdds(4, columns, rest=len(problem.outputs) > len(columns))
    outputs = head(SMALL.double())
    for label, column in zip(problem.labels, columns, strict=True):
        readout = readout_of(problem.outputs, label, problem, against_rest=True)
        expected = torch.logit(PROBABILITIES[:, column])
        torch.testing.assert_close(log_odds(outputs, readout), expected, atol=1e-6, rtol=1e-6)


def test_scores_are_those_counted_by_hand() -> None:
    odds = torch.tensor([2.0, 1.0, -1.0, 3.0, -2.0, 0.0])
    positive = torch.tensor([True, True, True, False, False, False])
    # yes: 1, 2, 4; right yes: 1, 2; a score of exactly 0.5 is a no
    assert one_vs_rest(odds, positive, "precision") == pytest.approx(2 / 3)
    assert one_vs_rest(odds, positive, "recall") == pytest.approx(2 / 3)
    assert one_vs_rest(odds, positive, "f1") == pytest.approx(2 / 3)
    assert one_vs_rest(odds, positive, "accuracy") == pytest.approx(4 / 6)


def test_a_label_that_is_never_said_scores_nothing() -> None:
    assert one_vs_rest(torch.full((4,), -1.0), torch.tensor([True, False, False, False]), "f1") == 0


def test_calibrated_scores_are_probabilities() -> None:
    """Log-odds four times too large and shifted, made of known probabilities, are put right."""
    generator = torch.Generator().manual_seed(2)
    honest = torch.randn(20_000, generator=generator) * 2 - 1
    positive = torch.rand(20_000, generator=generator) < torch.sigmoid(honest)
    found = fit_calibration(honest * 4 + 3, positive)
    assert found.scale == pytest.approx(0.25, rel=0.05)
    assert found.bias == pytest.approx(-0.75, abs=0.05)
    assert fit_calibration(honest * 4 + 3, positive) == found


@pytest.mark.parametrize(
    ("odds", "positive"),
    [
        pytest.param([-5.0, -4.0, 4.0, 5.0], [False, False, True, True], id="divided without error"),
        pytest.param([-50.0, -40.0, 4000.0, 5000.0], [False, False, True, True], id="far apart"),
        pytest.param([5.0, 4.0, -4.0, -5.0], [False, False, True, True], id="the wrong way round"),
        pytest.param([1.0, 1.0, 1.0, 1.0], [False, False, True, True], id="always the same"),
        pytest.param([1.0, 2.0, 3.0, 4.0], [True, True, True, True], id="nothing but the label"),
    ],
)
def test_a_calibration_is_finite_and_keeps_the_order(odds: list[float], positive: list[bool]) -> None:
    values = torch.tensor(odds)
    found = fit_calibration(values, torch.tensor(positive))
    assert found.scale > 0
    assert torch.equal(found(values).argsort(stable=True), values.argsort(stable=True))


@pytest.mark.parametrize(("scale", "bias"), [(0.0, 0.0), (-1.0, 0.0), (math.nan, 0.0), (1.0, math.inf)])
def test_a_calibration_that_would_turn_scores_round_cannot_be_made(scale: float, bias: float) -> None:
    with pytest.raises(ValueError, match="scale above 0"):
        Calibration(scale, bias)


def test_an_unknown_score_is_refused_with_those_that_are_there() -> None:
    from modelfoundry.core.composing import check_score

    with pytest.raises(InvalidField, match="'auc'") as caught:
        check_score("auc")
    assert "f1" in caught.value.hint
