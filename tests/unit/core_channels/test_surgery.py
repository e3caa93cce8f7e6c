"""Shortcuts without weights become convolutions, bit by bit; blocks that give what they take can go."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import Bypass, Projection, operated, plan_channels, removable_blocks, with_projections
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

SPEC = InputSpec(3, 32, 32)
IMAGES = torch.rand(4, *SPEC.shape, generator=torch.Generator().manual_seed(1))
Settle = Callable[[nn.Module, Tensor], nn.Module]


@pytest.fixture
def resnet(settled: Settle) -> nn.Module:
    torch.manual_seed(0)
    return settled(build_network(Architecture("zoo:resnet20"), 10, SPEC), IMAGES)


def test_projections_compute_the_same_bits(resnet: nn.Module) -> None:
    projected, operations = with_projections(resnet, SPEC)
    assert operations == (Projection("layer2.0.shortcut", 16, 32, 2), Projection("layer3.0.shortcut", 32, 64, 2))
    assert torch.equal(projected(IMAGES), resnet(IMAGES))


def test_projected_streams_can_be_cut(resnet: nn.Module) -> None:
    before, after = (plan_channels(network, SPEC) for network in (resnet, with_projections(resnet, SPEC)[0]))
    assert (len(before.groups), len(after.groups)) == (9, 12)
    assert sorted({group.units for group in after.groups}) == [16, 32, 64]


def test_a_layer_that_does_more_than_hand_on_is_no_projection(settled: Settle) -> None:
    network = settled(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.PixelShuffle(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2)),
        IMAGES,
    )
    assert with_projections(network, SPEC)[1] == ()


def test_blocks_are_found_that_keep_the_size(resnet: nn.Module) -> None:
    assert removable_blocks(resnet, SPEC) == (
        *(f"layer1.{place}" for place in range(3)),
        *(f"layer{stage}.{place}" for stage in (2, 3) for place in (1, 2)),
    )


def test_blocks_of_a_transformer_are_found_whole() -> None:
    spec = InputSpec(3, 224, 224)
    arguments = {"embed_dim": 24, "depth": 2, "num_heads": 2}
    network = build_network(Architecture("timm:vit_tiny_patch16_224", arguments), 4, spec)
    assert removable_blocks(network, spec) == ("blocks.0", "blocks.1")


def test_a_bypassed_block_hands_its_input_on(resnet: nn.Module) -> None:
    smaller = operated(resnet, [Bypass("layer1.1")])
    assert torch.equal(smaller.get_submodule("layer1.1")(IMAGES), IMAGES)
    assert not any(name.startswith("layer1.1.") for name in smaller.state_dict())
    assert any(name.startswith("layer1.1.") for name in resnet.state_dict())


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param(Bypass("layer9"), "no layer", id="missing"),
        pytest.param(Bypass(""), "whole network", id="everything"),
        pytest.param(Projection("conv1", 3, 16, 1), "weights of its own", id="a layer with weights"),
    ],
)
def test_impossible_operations_are_refused(resnet: nn.Module, operation: Bypass | Projection, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        operated(resnet, [operation])


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 2**17, 1), (1, 1, 65)], ids=str)
def test_projections_of_impossible_sizes_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot project"):
        Projection("shortcut", *sizes)
