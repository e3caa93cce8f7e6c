"""The fitted threshold, and what is refused before the work."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from modelfoundry.core.composing.calibration import UNCALIBRATED
from modelfoundry.decomposer.algorithms.distilling.checks import check_images, check_teacher, ranking_area
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.threshold import fit_threshold
from modelfoundry.errors import DatasetMismatch, UnsupportedModel
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

LABELS = ("ant", "bee", "cow", "dog")
ONE = Target.of(BinaryProblem("bee"), LABELS)


def outputs_of(odds: Tensor) -> Tensor:
    return torch.stack([odds, torch.zeros_like(odds)], dim=1)


def shifted(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Log-odds of a base that thinks the label rarer than it is: the best threshold is -2."""
    generator = torch.Generator().manual_seed(seed)
    answers = torch.arange(count) % 2
    return outputs_of(torch.randn(count, generator=generator) + 2 - 2 * answers - 3.0), answers


def test_the_threshold_moves_to_where_as_many_are_right_on_both_sides() -> None:
    outputs, answers = shifted(2000, seed=0)
    fitted = fit_threshold(outputs, answers, ONE)
    assert -fitted.bias / fitted.scale == pytest.approx(-2.0, abs=0.1)
    unseen, right = shifted(2000, seed=1)
    before = float((unseen.argmax(dim=1) == right).float().mean())
    after = float(((unseen[:, 0] * fitted.scale + fitted.bias <= 0).long() == right).float().mean())
    assert before < 0.6
    assert after == pytest.approx(0.84, abs=0.03)  # what two normals at this distance allow


def test_of_several_labels_the_surest_decides() -> None:
    target = Target.of(OpenSetProblem(("bee", "cow")), LABELS)
    answers = torch.arange(300) % 3
    odds = 3.0 * torch.nn.functional.one_hot(answers, 3)[:, :2] - 4.0 + torch.randn(300, 2)
    outputs = torch.cat([odds, torch.zeros(300, 1)], dim=1)
    fitted = fit_threshold(outputs, answers, target)
    assert fitted == fit_threshold(outputs_of(odds.amax(dim=1)), (answers == 2).long(), ONE)
    assert target.head(fitted).bias.tolist() == pytest.approx([fitted.bias] * 2)


def test_without_a_rest_nothing_is_moved() -> None:
    target = Target.of(MultiClassProblem(("bee", "cow")), LABELS)
    outputs = torch.randn(6, 2)
    assert fit_threshold(outputs, torch.arange(6) % 2, target) == UNCALIBRATED


def test_a_fit_of_images_that_are_told_apart_without_error_is_finite() -> None:
    answers = torch.arange(20) % 2
    fitted = fit_threshold(outputs_of(6.0 - 12.0 * answers), answers, ONE)
    assert 0 < fitted.scale < 10
    assert abs(fitted.bias) < 1e-3


@pytest.mark.parametrize("positives", [0, 4, 17, 20])
def test_too_few_images_on_one_side_are_refused(positives: int) -> None:
    answers = (torch.arange(20) >= positives).long()
    with pytest.raises(DatasetMismatch, match=f"{positives} images of the labels and {20 - positives} of the rest"):
        fit_threshold(outputs_of(torch.randn(20)), answers, ONE)


def test_fewer_than_twenty_training_images_of_a_label_are_refused() -> None:
    check_images(torch.tensor([1] * 20 + [0]), ONE, LABELS)
    with pytest.raises(DatasetMismatch, match="19 training images of 'bee'"):
        check_images(torch.tensor([1] * 19 + [0] * 300), ONE, LABELS)


def test_training_images_without_a_rest_are_refused() -> None:
    with pytest.raises(DatasetMismatch, match="no rest"):
        check_images(torch.tensor([1] * 30), ONE, LABELS)
    check_images(torch.tensor([1, 2] * 30), Target.of(MultiClassProblem(("bee", "cow")), LABELS), LABELS)


def test_a_base_at_chance_on_a_label_has_nothing_to_teach() -> None:
    answers = torch.arange(400) % 2
    guessed = torch.randn(400, generator=torch.Generator().manual_seed(3))
    with pytest.raises(UnsupportedModel, match="guesses 'bee'"):
        check_teacher(outputs_of(guessed), answers, ("bee",))
    check_teacher(outputs_of(guessed + 1.0 - answers), answers, ("bee",))


def test_a_base_at_chance_on_one_of_several_labels_is_refused_by_name() -> None:
    answers = torch.arange(300) % 3
    outputs = torch.nn.functional.one_hot(answers, 3).float() * 4
    outputs[:, 1] = torch.randn(300, generator=torch.Generator().manual_seed(0)) * 0.1
    outputs[answers == 1] = torch.tensor([4.0, 0.0, 0.0])
    with pytest.raises(UnsupportedModel, match="'cow'"):
        check_teacher(outputs, answers, ("bee", "cow", "dog"))


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    generator = torch.Generator().manual_seed(0)
    yes, no = (torch.randint(0, 9, (count,), generator=generator).float() for count in (30, 50))
    pairs = (yes[:, None] > no).double().mean() + (yes[:, None] == no).double().mean() / 2
    assert ranking_area(yes, no) == pytest.approx(float(pairs))
