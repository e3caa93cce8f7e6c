"""What a network says of a problem, and how far a module is from its base, against sums over probabilities."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss, divergence
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.errors import UnknownLabel
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

LABELS = ("ant", "bee", "cow", "dog", "elk")


def logits(seed: int) -> Tensor:
    return 3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(seed))


def outputs(problem: Problem, values: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = network_of_head(Target.of(problem, LABELS).head())(values)
    return found


def test_outputs_of_one_label_are_its_log_odds_and_none() -> None:
    shares = torch.softmax(logits(0), dim=1)[:, 2]
    expected = torch.stack([(shares / (1 - shares)).log(), torch.zeros(6)], dim=1)
    assert torch.allclose(outputs(BinaryProblem("cow"), logits(0)), expected, atol=1e-5)


def test_the_softmax_of_the_outputs_is_the_networks_own_with_the_others_as_the_rest() -> None:
    shares = torch.softmax(logits(0), dim=1)
    expected = torch.stack([shares[:, 3], shares[:, 0], shares[:, [1, 2, 4]].sum(dim=1)], dim=1)
    found = torch.softmax(outputs(OpenSetProblem(("dog", "ant")), logits(0)), dim=1)
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_multi_class_problem_leaves_the_others_out() -> None:
    found = torch.softmax(outputs(MultiClassProblem(("dog", "ant")), logits(0)), dim=1)
    assert torch.allclose(found, torch.softmax(logits(0)[:, [3, 0]], dim=1), atol=1e-6)


def test_a_label_that_the_base_lacks_is_refused() -> None:
    with pytest.raises(UnknownLabel):
        Target.of(BinaryProblem("eel"), LABELS)


def test_divergence_is_the_mean_over_images_of_a_sum_over_probabilities() -> None:
    total = 0.0
    for answered, taught in zip(logits(1).tolist(), logits(2).tolist(), strict=True):
        own, right = ([math.exp(value / 4) for value in row] for row in (answered, taught))
        total += sum(
            r / sum(right) * math.log((r / sum(right)) / (o / sum(own))) for o, r in zip(own, right, strict=True)
        )
    assert float(divergence(logits(1), logits(2), 4.0)) == pytest.approx(16 * total / 6, rel=1e-5)


def test_for_one_label_the_loss_has_the_gradient_of_the_recipe_as_written_down() -> None:
    head, base = network_of_head(Target.of(BinaryProblem("bee"), LABELS).head()), logits(2)
    own, written = logits(1).requires_grad_(), logits(1).requires_grad_()
    distillation_loss(own, base, head, 4.0).backward()

    def odds(values: Tensor) -> Tensor:
        return values[:, 1] - torch.logsumexp(values[:, [0, 2, 3, 4]], dim=1)

    binary = functional.binary_cross_entropy_with_logits(odds(written) / 4, torch.sigmoid(odds(base) / 4))
    softened = functional.log_softmax(written / 4, dim=1), functional.log_softmax(base / 4, dim=1)
    (16 * binary + 16 * functional.kl_div(*softened, reduction="batchmean", log_target=True)).backward()
    assert own.grad is not None
    assert written.grad is not None
    assert torch.allclose(own.grad, written.grad, atol=1e-6)


@pytest.mark.parametrize(
    "problem",
    [BinaryProblem("bee"), MultiClassProblem(("bee", "elk")), OpenSetProblem(("bee", "elk"))],
    ids=["binary", "multi-class", "open-set"],
)
def test_only_the_base_itself_has_no_loss(problem: Problem) -> None:
    head = network_of_head(Target.of(problem, LABELS).head()).requires_grad_(False)
    assert float(distillation_loss(logits(1), logits(1), head, 4.0)) == pytest.approx(0, abs=1e-5)
    assert float(distillation_loss(logits(1), logits(2), head, 4.0)) > 0.1
