from __future__ import annotations

import pytest
import torch
from torch import nn

from modelfoundry.core.channels import (
    ChannelMasks,
    KeptChannels,
    LayerCut,
    compact,
    kernel_weight_masks,
    live_units,
    narrowed,
    plan_channels,
    plan_cuts,
    widths_of,
)
from modelfoundry.errors import InvalidField
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(2, 6, 6)


@pytest.fixture
def network() -> nn.Module:
    """Three convolutions, the second with two groups, and a linear layer on their flattened maps."""
    torch.manual_seed(1)
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.ReLU(),
        nn.Conv2d(6, 3, 1),
        nn.Flatten(),
        nn.Linear(12, 5),
    )
    layers[1].bias.data.fill_(0.5)
    return layers.eval().requires_grad_(False)


def test_masks_have_no_weights_from_or_to_a_dropped_unit(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    masks = ChannelMasks({"0": torch.tensor([True, False]), "5": torch.tensor([True, True, False])})
    bits = kernel_weight_masks(network, plan, masks).bits
    assert list(bits) == [f"{layer}.{part}" for layer in (0, 3, 5, 7) for part in ("weight", "bias")]
    assert bits["0.bias"].tolist() == [True, True, False, False]
    assert bits["0.weight"].flatten(1).any(1).tolist() == bits["0.weight"].flatten(1).all(1).tolist()
    assert bits["3.weight"].flatten(1).all(1).tolist() == [True] * 3 + [False] * 3
    assert bits["5.bias"].tolist() == [True, True, False]
    assert bits["5.weight"].flatten(1).tolist() == [[True] * 3 + [False] * 3] * 2 + [[False] * 6]
    assert bits["7.weight"].tolist() == [[True] * 8 + [False] * 4] * 5
    assert bits["7.bias"].all()
    assert (masks.kept, masks.total) == (3, 5)


def test_a_unit_is_dead_when_nothing_that_is_alive_reads_it(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    network[7].weight[:, :4] = 0  # kernel 0 of the last convolution is not read
    network[5].weight[1:, 3:] = 0  # and it alone reads the second group
    live = live_units(network, plan)
    assert {name: alive.tolist() for name, alive in live.alive.items()} == {
        "0": [True, False],
        "5": [False, True, True],
    }
    assert live.held == ()
    images = torch.rand(3, *SPEC.shape)
    torch.testing.assert_close(compact(network, plan, live)(images), network(images), atol=1e-5, rtol=0)


def test_one_unit_is_held_where_nothing_is_alive(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    network[7].weight.zero_()
    live = live_units(network, plan)
    assert {name: alive.tolist() for name, alive in live.alive.items()} == {
        "0": [True, False],
        "5": [True, False, False],
    }
    assert live.held == ("0", "5")
    images = torch.rand(3, *SPEC.shape)
    torch.testing.assert_close(compact(network, plan, live)(images), network(images), atol=1e-6, rtol=0)


def test_whole_masks_cut_nothing(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    all_alive = ChannelMasks({group.name: torch.ones(group.units, dtype=torch.bool) for group in plan.groups})
    assert plan_cuts(plan, all_alive) == ()
    assert plan_cuts(plan, ChannelMasks({})) == ()
    assert live_units(network, plan).kept == all_alive.total


def test_a_plan_of_cuts_says_what_every_layer_keeps(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    cuts = plan_cuts(plan, ChannelMasks({"5": torch.tensor([False, True, False])}))
    assert {str(cut) for cut in cuts} == {"5: outputs 1 of 3", "7: inputs 4 of 12"}
    assert LayerCut("5", None, KeptChannels(3, (1,))) in cuts


def test_a_network_is_narrowed_to_the_shapes_of_a_cut_one(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    masks = ChannelMasks({"0": torch.tensor([False, True]), "5": torch.tensor([True, False, True])})
    smaller = compact(network, plan, masks)
    narrow = narrowed(network, widths_of(plan_cuts(plan, masks)))
    narrow.load_state_dict(smaller.state_dict())
    images = torch.rand(3, *SPEC.shape)
    assert torch.equal(narrow(images), smaller(images))


@pytest.mark.parametrize(
    "widths",
    [{"9": (1, 1)}, {"2": (None, 1)}, {"0": (None, 9)}, {"0": (None, 0)}, {"0": (None, 2**60)}, {"3": (1, 2)}],
    ids=["no layer", "no rule", "wider", "none", "huge", "half a group"],
)
def test_widths_that_no_cut_gives_are_refused(network: nn.Module, widths: dict[str, tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=next(iter(widths))):
        narrowed(network, widths)


def test_masks_without_a_unit_are_refused() -> None:
    with pytest.raises(InvalidField, match=r"masks\.conv: no channel would stay"):
        ChannelMasks({"conv": torch.zeros(3, dtype=torch.bool)})


@pytest.mark.parametrize("kept", [(), (1, 0), (0, 0), (3,), (-1, 0)])
def test_channels_that_cannot_be_kept_are_refused(kept: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sorted"):
        KeptChannels(3, kept)


def test_masks_of_another_plan_are_refused(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="no group 5 of 4 units"):
        plan_cuts(plan_channels(network, SPEC), ChannelMasks({"5": torch.ones(4, dtype=torch.bool)}))
