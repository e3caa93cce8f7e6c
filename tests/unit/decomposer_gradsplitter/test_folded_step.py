"""One step of the joint search, against a slow loop over modules that masks activations behind their ReLU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.gradsplitter.heads import JointHeads
from modelfoundry.decomposer.algorithms.gradsplitter.passes import Passes
from modelfoundry.decomposer.algorithms.gradsplitter.trunk import FoldedTrunk
from modelfoundry.decomposer.algorithms.gradsplitter.unit_scores import UnitScores

CPU = torch.device("cpu")
GROUPS = ((2,), (0, 3), (1,))
ALPHA = 3.0
MEMORY = 2**30


class _Step:
    """Scores, heads and passes in the middle of a search: some units are dropped."""

    def __init__(self, task: Any, memory: int = MEMORY) -> None:
        self.task = task
        with torch.random.fork_rng():
            torch.manual_seed(8)
            self.scores = UnitScores(task.network, task.plan.kernel_groups, 3, CPU)
            self.heads = JointHeads(GROUPS, 10, CPU)
            values = torch.randn(3, 10)
            values[0, :4] = torch.tensor([-3.0, -0.5, -2.0, -0.75])  # all of the first layer: one has to stay
            values[1:, ::4] = 1.0
            self.images = torch.randn(7, 2, 4, 4)
        with torch.no_grad():
            self.scores.values.copy_(values)
        self.labels = torch.tensor([0, 1, 2, 3, 3, 1, 0])
        trunk = FoldedTrunk(task.network, task.plan.kernel_groups, task.input_spec, CPU)
        self.passes = Passes(trunk, 10, task.input_spec, memory=memory, device=CPU, monitor=Unwatched())

    def run(self) -> Tensor:
        loss, of_bits = self.passes.gradient(
            self.images,
            self.scores.alive(),
            lambda logits: functional.cross_entropy(self.heads(logits).sigmoid(), self.labels),
        )
        self.scores.set_gradient(of_bits, ALPHA)
        return loss


def _slow_reference(step: _Step) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Cross entropy, gradient of the scores, and of the heads' weights: one module after another."""
    network, values = step.task.network, step.scores.values.detach()
    bits = torch.zeros_like(values)
    for module in range(3):
        for begin, end in ((0, 4), (4, 10)):
            segment = values[module, begin:end].tolist()
            for place, score in enumerate(segment):
                alone = all(other <= 0 for other in segment) and score == max(segment)
                bits[module, begin + place] = float(score > 0 or alone)
    bits.requires_grad_()
    parameters = [parameter.detach().clone().requires_grad_() for parameter in step.heads.parameters()]
    hidden_weight, hidden_bias, score_weight, score_bias = parameters
    columns: dict[int, Tensor] = {}
    for module, labels in enumerate(GROUPS):
        logits = network.masked(step.images, bits[module, :4], bits[module, 4:])
        hidden = functional.linear(logits.relu(), hidden_weight[module], hidden_bias[module]).relu()
        for label in labels:
            columns[label] = (hidden @ score_weight[label] + score_bias[label]).sigmoid()
    cross_entropy = functional.cross_entropy(torch.stack([columns[label] for label in range(4)], 1), step.labels)
    cross_entropy.backward()
    assert bits.grad is not None
    clamped = bits.grad.clamp(-1, 1)
    bits.grad = None
    layers = [bits[:, :4], bits[:, 4:], bits[:, 4:]]  # the second and third convolution share their bits
    kept = torch.cat([layer.flatten() for layer in layers])
    (ALPHA * kept.mean()).backward()
    return cross_entropy.detach(), clamped + bits.grad, [parameter.grad for parameter in parameters]


def test_a_step_has_the_loss_and_gradients_of_a_loop_over_modules(make_task: Any) -> None:
    step = _Step(make_task())
    expected_loss, expected_scores, expected_heads = _slow_reference(step)

    loss = step.run()

    torch.testing.assert_close(loss, expected_loss)
    torch.testing.assert_close(step.scores.values.grad, expected_scores, rtol=1e-5, atol=1e-7)
    for parameter, expected in zip(step.heads.parameters(), expected_heads, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-5, atol=1e-7)
    assert float((expected_scores - ALPHA / 48).abs().max()) > 1e-4  # or the cross entropy would not matter


@pytest.mark.parametrize("rows", [1, 3, 7, 14], ids=lambda rows: f"{rows} rows")
def test_a_step_in_pieces_is_the_whole_step(make_task: Any, rows: int) -> None:
    whole = _Step(make_task())
    pieces = _Step(make_task())
    assert whole.passes._rows > 21
    pieces.passes._rows = pieces.passes._rows_at_once = rows

    torch.testing.assert_close(pieces.run(), whole.run(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(pieces.scores.values.grad, whole.scores.values.grad, rtol=1e-6, atol=1e-6)
    for mine, theirs in zip(pieces.heads.parameters(), whole.heads.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-6, atol=1e-6)


def test_one_graph_from_several_passes_is_that_of_one(make_task: Any) -> None:
    whole, several = _Step(make_task()), _Step(make_task())
    several.passes._rows_at_once = 7

    torch.testing.assert_close(several.run(), whole.run(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(several.scores.values.grad, whole.scores.values.grad, rtol=1e-6, atol=1e-6)


def test_memory_bounds_the_rows_of_a_pass(make_task: Any) -> None:
    assert _Step(make_task(), memory=1).passes._rows == 1
    rows = {memory: _Step(make_task(), memory=memory).passes._rows for memory in (2**16, 2**17)}
    assert 2 * rows[2**16] <= rows[2**17] <= 2 * rows[2**16] + 2
    assert rows[2**16] * 4 * (2 + 4 + 6) * 16 < 2**16  # more than the inputs of its convolutions is kept


def test_gradients_of_bits_are_clamped_and_not_scores(make_task: Any) -> None:
    scores = _Step(make_task()).scores
    scores.set_gradient(torch.full((3, 10), 5.0), alpha=0.0)
    assert torch.equal(scores.values.grad, torch.ones(3, 10))
    assert float(scores.values.detach().min()) == -3.0


def test_a_kernel_counts_once_for_every_layer_that_it_is_tied_to(make_task: Any) -> None:
    scores = _Step(make_task()).scores
    assert scores.total == 3 * (4 + 6 + 6)
    alive = torch.zeros(3, 10, dtype=torch.bool)
    alive[0, 0] = alive[1, 4] = True
    assert scores.kept(alive) == 1 + 2


def test_no_layer_is_ever_empty(make_task: Any) -> None:
    scores = _Step(make_task()).scores
    assert scores.alive()[0, :4].tolist() == [False, True, False, False]
    assert scores.held().tolist() == [[True, False], [False, False], [False, False]]
    for equal in (0.0, -1.0):
        with torch.no_grad():
            scores.values.fill_(equal)
        assert scores.alive().sum(dim=1).tolist() == [2, 2, 2]
        assert bool(scores.held().all())
    masks = scores.masks(scores.alive()[0], scores.held()[0])
    assert masks.held == ("conv1", "conv2")


class _HiddenLayer(nn.Module):
    """Its convolution is called by what a tracer walks into, so that it sees no layer."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        if images.sum() > float("inf"):  # cannot be traced
            return images
        logits: Tensor = self.inner(images)
        return logits


def test_a_network_that_cannot_be_traced_is_run_as_it_is(make_task: Any) -> None:
    task = make_task()
    hidden = FoldedTrunk(_HiddenLayer(task.network), (), task.input_spec, CPU)
    folded = FoldedTrunk(task.network, (), task.input_spec, CPU)
    images = torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(hidden(images, torch.ones(2, 0)), folded(images, torch.ones(2, 0)))
    names = [type(layer).__name__ for layer in folded._network.modules()]
    assert "BatchNorm2d" not in names
