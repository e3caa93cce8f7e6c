"""Training masks: the straight-through estimator and the retention term (SeaM, section 3)."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.masking import (
    MaskScores,
    WeightMasks,
    mask_training_mode,
    masked_forward,
    masked_state,
    straight_through,
)
from modelfoundry.core.networks import build_network
from modelfoundry.errors import WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec

DIGITS = InputSpec(1, 8, 8)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(Architecture("zoo:digits_cnn"), 10, DIGITS).eval().requires_grad_(False)


def test_scores_above_zero_keep_and_zero_itself_drops() -> None:
    weight = torch.tensor([1.0, 2.0, -3.0, 4.0])
    scores = torch.tensor([0.3, 0.0, 5.0, -0.1])
    assert straight_through(weight, scores).tolist() == [1.0, 0.0, -3.0, 0.0]


def test_scores_receive_the_clamped_gradient_of_their_bit() -> None:
    # loss = sum(upstream * weight * bit), so that the gradient of a bit is upstream * weight.
    weight = torch.tensor([2.0, 2.0, 0.25, -0.5, 3.0], requires_grad=True)
    scores = torch.tensor([1.0, -1.0, 7.0, -9.0, 1.0], requires_grad=True)
    upstream = torch.tensor([0.25, 3.0, 2.0, 0.5, -10.0])
    (upstream * straight_through(weight, scores)).sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [0.5, 1.0, 0.5, -0.25, -1.0]  # clamped in value, however far the score is
    assert weight.grad is None


def test_every_score_receives_alpha_over_all_entries() -> None:
    scores = MaskScores(nn.Linear(3, 1).requires_grad_(False))
    scores.add_retention_gradient(alpha=2.0)
    assert {
        name: values.grad.unique().tolist() for name, values in scores.values.items() if values.grad is not None
    } == {
        "weight": [0.5],
        "bias": [0.5],
    }


class _Binarise(torch.autograd.Function):
    """The estimator as the paper writes it, on the bit alone."""

    @staticmethod
    def forward(ctx: object, scores: Tensor) -> Tensor:
        return (scores > 0).float()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0].clamp(-1, 1)


def test_gradients_are_those_of_cross_entropy_plus_alpha_times_the_mean_of_all_bits(network: nn.Module) -> None:
    torch.manual_seed(1)
    images, labels, alpha = torch.randn(16, 1, 8, 8), torch.randint(0, 10, (16,)), 1.7
    scores = MaskScores(network)
    start = {name: torch.randn_like(values) for name, values in scores.values.items()}
    for name, values in scores.values.items():
        values.data.copy_(start[name])
    functional.cross_entropy(masked_forward(network, scores.effective(), images), labels).backward()
    scores.add_retention_gradient(alpha)

    naive = {name: value.clone().requires_grad_() for name, value in start.items()}
    weights = dict(network.named_parameters())
    state = {name: weights[name] * _Binarise.apply(value) for name, value in naive.items()}
    retention = _Binarise.apply(torch.cat([value.flatten() for value in naive.values()])).mean()
    loss = functional.cross_entropy(torch.func.functional_call(network, state, (images,)), labels) + alpha * retention
    loss.backward()

    assert retention.item() == pytest.approx(scores.harden().retention)
    for name, values in scores.values.items():
        torch.testing.assert_close(values.grad, naive[name].grad, rtol=1e-5, atol=1e-9)


def test_a_masked_forward_is_a_forward_with_those_weights_set_to_zero(network: nn.Module) -> None:
    torch.manual_seed(2)
    scores = MaskScores(network)
    for values in scores.values.values():
        values.data.normal_()
    masks = scores.harden()
    by_hand = copy.deepcopy(network)
    for name, parameter in by_hand.named_parameters():
        if name in masks.bits:
            parameter.data[~masks.bits[name]] = 0.0
    images = torch.randn(8, 1, 8, 8)
    before = copy.deepcopy(network.state_dict())
    assert 0.4 < masks.retention < 0.6
    assert torch.equal(masked_forward(network, masked_state(network, masks), images), by_hand(images))
    assert torch.equal(masked_forward(network, scores.effective(), images), by_hand(images))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_shared_parameters_are_masked_wherever_they_are_used() -> None:
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)).requires_grad_(False)
    network[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    network[1].weight = network[0].weight
    masks = WeightMasks({"0.weight": torch.tensor([[True, False], [False, True]])})
    assert masked_forward(network, masked_state(network, masks), torch.ones(1, 2)).tolist() == [[1.0, 16.0]]


@pytest.mark.parametrize("training", [True, False])
def test_attention_uses_its_masked_projections(training: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).requires_grad_(False).train(training)
    scores = MaskScores(layer)
    inputs = torch.randn(2, 5, 8)
    whole = masked_forward(layer, scores.effective(), inputs)
    torch.testing.assert_close(whole, layer(inputs))
    for name in ("self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight", "linear1.weight"):
        part = MaskScores(layer)
        part.values[name].data.fill_(-1.0)
        changed = masked_forward(layer, part.effective(), inputs)
        if name != "self_attn.in_proj_bias":  # begins at 0
            assert not torch.allclose(changed, whole)
        changed.square().sum().backward()
        assert part.values[name].grad is not None


def test_hardened_masks_are_copies(network: nn.Module) -> None:
    scores = MaskScores(network)
    masks = scores.harden()
    for values in scores.values.values():
        values.data.fill_(-1.0)
    assert masks.retention == 1.0
    assert scores.harden().retention == 0.0


def test_only_batch_statistics_are_frozen_in_mask_training() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.LayerNorm(8)).requires_grad_(
        False
    )
    before = copy.deepcopy(network.state_dict())
    mask_training_mode(network)
    outputs = network(torch.randn(16, 1, 8, 8) + 3.0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert 0.3 < (network[2](torch.ones(1000)) == 0).float().mean() < 0.7
    assert outputs.shape == (16, 4, 8, 8)


def test_masks_of_another_network_are_refused(network: nn.Module) -> None:
    masks = WeightMasks(
        {"features.0.weight": torch.ones(3, dtype=torch.bool), "other": torch.ones(1, dtype=torch.bool)}
    )
    with pytest.raises(WeightsMismatch) as caught:
        masked_state(network, masks)
    assert [violation.field for violation in caught.value.violations] == ["masks.features.0.weight", "masks.other"]
