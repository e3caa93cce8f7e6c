"""Scores of all weights in one row, and the gradient that they receive."""

from __future__ import annotations

import torch
from torch import nn

from modelfoundry.decomposer.algorithms.seam.distilled.masks import RankedMasks


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)).requires_grad_(False)


def test_weights_and_biases_of_all_layers_are_compared_and_norms_left_alone() -> None:
    base = network()
    masks = RankedMasks(base)
    assert [name for name, _ in masks.layout] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert masks.total == 18 + 2 + 24 + 3
    parameters = dict(base.named_parameters())
    sizes = torch.cat([parameters[name].abs().flatten() for name, _ in masks.layout])
    assert masks.scores.argsort().tolist() == sizes.argsort().tolist()


def test_the_row_is_the_base_with_zeros_where_the_bits_are_none() -> None:
    base = network()
    masks = RankedMasks(base)
    state, bits = masks.state(masks.masked(20)), masks.harden(20).bits
    assert sum(int(mask.count_nonzero()) for mask in bits.values()) == 20
    for name, value in state.items():
        assert torch.equal(value, base.get_parameter(name) * bits[name])


def test_scores_of_kept_and_dropped_weights_receive_a_clamped_gradient() -> None:
    masks = RankedMasks(network())
    weights = masks.masked(20)
    gradient = 100 * torch.randn(masks.total, generator=torch.Generator().manual_seed(1))
    (weights * gradient).sum().backward()
    masks.pass_gradient(weights)
    everything = masks.masked(masks.total).detach()
    assert masks.scores.grad is not None
    assert torch.equal(masks.scores.grad, (gradient * everything).clamp(-1, 1))
    assert 0 < int((masks.scores.grad.abs() == 1).sum()) < masks.total
