from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import (
    ChannelMasks,
    ChannelPlan,
    compact,
    kernel_weight_masks,
    live_units,
    plan_channels,
)
from modelfoundry.core.masking import masked_state
from modelfoundry.core.metrics import cost
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

SPEC = InputSpec(3, 32, 32)
IMAGES = torch.rand(8, *SPEC.shape, generator=torch.Generator().manual_seed(1))
QUICK = (
    *("zoo:resnet20", "torchvision:resnet18", "torchvision:mobilenet_v2"),
    *("torchvision:googlenet", "torchvision:efficientnet_b0", "torchvision:regnet_y_400mf"),
)
SLOW = (
    *("zoo:simcnn", "zoo:rescnn", "zoo:incecnn", "zoo:vgg16_bn", "torchvision:resnet50"),
    *("torchvision:densenet121", "torchvision:convnext_tiny", "torchvision:regnet_x_400mf"),
)

Settle = Callable[[nn.Module, Tensor], nn.Module]


def _half(plan: ChannelPlan) -> ChannelMasks:
    """About half of the units of every group of kernels; the hidden units of linear layers stay."""
    generator = torch.Generator().manual_seed(2)
    alive = {group.name: torch.rand(group.units, generator=generator) < 0.5 for group in plan.kernel_groups}
    for mask in alive.values():
        mask[0], mask[-1] = True, False
    return ChannelMasks(alive)


@pytest.mark.parametrize("builder", [*QUICK, *(pytest.param(builder, marks=pytest.mark.slow) for builder in SLOW)])
def test_a_compacted_network_computes_what_the_masked_one_computes(builder: str, settled: Settle) -> None:
    torch.manual_seed(3)
    network = settled(build_network(Architecture(builder), 10, SPEC), IMAGES)
    plan = plan_channels(network, SPEC)
    masks = _half(plan)
    assert len(masks.alive) > 2
    masked = copy.deepcopy(network)
    masked.load_state_dict(masked_state(network, kernel_weight_masks(network, plan, masks)), strict=False)
    smaller = compact(network, plan, masks)
    with torch.no_grad():
        whole, expected, actual = network(IMAGES), masked(IMAGES), smaller(IMAGES)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    assert (whole - expected).abs().max() > 1e-2
    before, after = cost(masked, SPEC), cost(smaller, SPEC)
    assert after.parameter_bytes < before.parameter_bytes
    assert after.macs_dense < before.macs_dense
    found = live_units(masked, plan).alive
    assert all(torch.equal(found[name], alive) for name, alive in masks.alive.items())
