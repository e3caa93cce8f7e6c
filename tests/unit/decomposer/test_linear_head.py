"""A head of one layer behind masked weights: what is measured is what the module answers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.masking import WeightMasks, masked_state
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.linear_head import (
    PosedTask,
    found_module,
    found_tensors,
    new_head,
    posed_accuracy,
)
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.values.architectures import InputSpec

CPU = torch.device("cpu")
SPEC = InputSpec(1, 1, 2)


@pytest.fixture
def trunk() -> nn.Module:
    """Its logits are the two pixels, the second one below 0."""
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), linear)


@pytest.fixture
def head() -> nn.Linear:
    """Says 0 where the sum of what it reads is above 0."""
    head = nn.Linear(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
        head.bias.zero_()
    return head


def task(trunk: nn.Module, validation: ImageSet) -> PosedTask[SeamSettings]:
    return PosedTask(trunk, 2, validation, validation, 0.5, SPEC, SEAM.resolve("", {}), 0, CPU, Unwatched())


def test_what_is_below_zero_never_reaches_the_head(trunk: nn.Module, head: nn.Linear) -> None:
    images = ImageSet(torch.tensor([[[[100, 200]]], [[[200, 100]]]], dtype=torch.uint8), torch.tensor([0, 0]))
    state = dict(trunk.named_parameters())
    assert posed_accuracy(task(trunk, images), trunk, state, head) == 1.0  # without the ReLU it were a half


def test_accuracy_is_that_of_the_masked_weights(trunk: nn.Module, head: nn.Linear) -> None:
    images = ImageSet(torch.tensor([[[[100, 0]]]], dtype=torch.uint8), torch.tensor([0]))
    dropped = WeightMasks({"1.weight": torch.zeros(2, 2, dtype=torch.bool), "1.bias": torch.ones(2, dtype=torch.bool)})
    head.bias.data[1] = 0.1
    assert posed_accuracy(task(trunk, images), trunk, dict(trunk.named_parameters()), head) == 1.0
    assert posed_accuracy(task(trunk, images), trunk, masked_state(trunk, dropped), head) == 0.0


def test_a_head_follows_from_the_seed_alone_and_fits_the_trunk(trunk: nn.Module) -> None:
    with torch.random.fork_rng():
        first = new_head(trunk, 3, SPEC, seed=1, device=CPU)
        torch.manual_seed(99)
        assert torch.equal(new_head(trunk, 3, SPEC, seed=1, device=CPU).weight, first.weight)
        assert not torch.equal(new_head(trunk, 3, SPEC, seed=2, device=CPU).weight, first.weight)
    assert tuple(first.weight.shape) == (3, 2)
    assert not trunk.training


def test_what_was_found_is_a_copy_and_comes_back_as_a_module(head: nn.Linear) -> None:
    masks = WeightMasks({"a": torch.tensor([[True, False, True]]), "b": torch.tensor([False])})
    found = found_tensors(masks.packed(), head)
    head.weight.data.zero_()
    module = found_module(found, masks.layout)
    assert module.masks == masks
    assert module.head.layers[0].weight.tolist() == [[1.0, 1.0], [0.0, 0.0]]
