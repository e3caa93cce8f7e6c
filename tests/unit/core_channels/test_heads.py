"""Heads of attention are units: dropped together with their rows and columns, and the layer counts those that stay."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from modelfoundry.core.channels import (
    ChannelMasks,
    ChannelPlan,
    cut,
    head_count,
    joined_cuts,
    kernel_weight_masks,
    live_units,
    narrowed,
    plan_channels,
    plan_cuts,
    widths_of,
)
from modelfoundry.core.masking import masked_state
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

SPEC = InputSpec(1, 8, 8)
IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
SIZES: dict[str, Any] = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 4}


def transformer(**more: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(Architecture("timm:vit_tiny_patch16_224", {**SIZES, **more}), 4, SPEC)
        for parameter in network.parameters():
            parameter.data.normal_(0.0, 0.3)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return transformer()


@pytest.fixture(scope="module")
def plan(network: nn.Module) -> ChannelPlan:
    return plan_channels(network, SPEC)


def some(plan: ChannelPlan) -> ChannelMasks:
    return ChannelMasks({group.name: torch.arange(group.units) % 4 != 1 for group in plan.groups})


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_heads_and_neurons_of_every_block_can_be_dropped(plan: ChannelPlan) -> None:
    assert [(group.name, group.units, group.is_kernel) for group in plan.groups] == [
        ("blocks.0.attn.qkv", 4, False),
        ("blocks.0.mlp.fc1", 64, True),
        ("blocks.1.attn.qkv", 4, False),
        ("blocks.1.mlp.fc1", 64, True),
    ]
    assert not {"blocks.0.attn.qkv", "blocks.1.attn.qkv"} & {whole.layer for whole in plan.whole}


def test_a_transformer_that_keeps_everything_is_the_same(network: nn.Module, plan: ChannelPlan) -> None:
    everything = ChannelMasks({group.name: torch.ones(group.units, dtype=torch.bool) for group in plan.groups})
    assert plan_cuts(plan, everything) == ()
    assert torch.equal(cut(network, ())(IMAGES), network(IMAGES))


@pytest.mark.parametrize("more", [{}, {"qk_norm": True}, {"qkv_bias": False}], ids=["plain", "normed", "no bias"])
def test_a_transformer_without_heads_computes_what_the_masked_one_does(more: dict[str, Any]) -> None:
    network = transformer(**more)
    plan = plan_channels(network, SPEC)
    masks = some(plan)
    smaller = cut(network, plan_cuts(plan, masks))
    same(
        smaller(IMAGES),
        functional_call(network, masked_state(network, kernel_weight_masks(network, plan, masks)), IMAGES),
    )
    attention: Any = smaller.get_submodule("blocks.1.attn")
    assert (attention.num_heads, attention.qkv.out_features, attention.proj.in_features) == (3, 36, 12)
    assert head_count(attention) == 3
    assert head_count(network.get_submodule("blocks.1.attn")) == 4


def test_heads_are_cut_twice_and_built_again(network: nn.Module, plan: ChannelPlan) -> None:
    first = plan_cuts(plan, some(plan))
    once = cut(network, first)
    again = plan_channels(once, SPEC)
    then = plan_cuts(again, ChannelMasks({group.name: torch.arange(group.units) > 0 for group in again.groups}))
    both = joined_cuts(first, then)
    twice = cut(once, then)
    same(cut(network, both)(IMAGES), twice(IMAGES))
    built = narrowed(transformer(), widths_of(both))
    built.load_state_dict(twice.state_dict())
    same(built(IMAGES), twice(IMAGES))


def test_heads_that_nothing_reads_are_dead(network: nn.Module, plan: ChannelPlan) -> None:
    masked = copy.deepcopy(network)
    masked.get_parameter("blocks.0.attn.proj.weight").view(16, 4, 4)[:, 2] = 0
    alive = live_units(masked, plan).alive
    assert alive["blocks.0.attn.qkv"].tolist() == [True, True, False, True]
    assert bool(alive["blocks.1.attn.qkv"].all())


def test_attention_that_mixes_its_heads_stays_whole() -> None:
    plan = plan_channels(transformer(scale_attn_norm=True), SPEC)
    assert {group.name for group in plan.groups} == {"blocks.0.mlp.fc1", "blocks.1.mlp.fc1"}
    assert any(whole.layer == "blocks.0.attn.qkv" for whole in plan.whole)
