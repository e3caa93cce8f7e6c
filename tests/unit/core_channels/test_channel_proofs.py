"""What the proof must see: operations that a cut changes, however little, and however a mask falls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import ChannelGroup, ChannelPlan, plan_channels
from modelfoundry.core.channels.proof import proven_groups, random_masks, randomised
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(3, 8, 8)
IMAGES = torch.rand(2, *SPEC.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Between(nn.Module):
    """Two convolutions `a` and `b` with an operation between that keeps the number of channels, and a linear layer."""

    def __init__(self, operation: Callable[[Tensor], Tensor], channels: int) -> None:
        super().__init__()
        self.operation = operation
        self.a = nn.Conv2d(3, channels, 3)
        self.b = nn.Conv2d(channels, 4, 3)
        self.linear = nn.Linear(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.b(self.operation(self.a(images))).mean((2, 3)))
        return logits


def _group(channels: int) -> ChannelGroup:
    """The channels from `a` to `b`, one by one: what follows from the graph where the operation keeps them apart."""
    units = torch.arange(channels)
    return ChannelGroup("a", channels, {"a": units}, {}, {"b": units}, is_kernel=True)


def _proven(operation: Callable[[Tensor], Tensor], channels: int = 6) -> bool:
    network = randomised(Between(operation, channels), IMAGES)
    return bool(proven_groups(network, IMAGES, (_group(channels),)))


def _halves_apart(features: Tensor) -> Tensor:
    middle = features.shape[1] // 2
    return torch.cat([features[:, :middle].relu(), features[:, middle:].tanh()], 1)


def _every_other_apart(features: Tensor) -> Tensor:
    even = torch.arange(features.shape[1]).view(-1, 1, 1) % 2 == 0
    return torch.where(even, features.relu(), features.tanh())


def test_channels_that_stay_apart_are_proven() -> None:
    assert _proven(torch.relu)


@pytest.mark.parametrize("share", [1e-3, 1e-6])
def test_a_cut_that_changes_little_is_a_wrong_cut(share: float) -> None:
    """Rounding in float64 is a million times smaller; a tolerance that takes 1 % for rounding lets this pass."""
    assert not _proven(lambda features: features + share * features.mean(1, keepdim=True))


@pytest.mark.parametrize("channels", [4, 6, 8, 16])
def test_halves_that_are_treated_apart_are_seen_however_the_random_mask_falls(channels: int) -> None:
    assert not _proven(_halves_apart, channels)


@pytest.mark.parametrize("channels", [6, 8, 16])
def test_a_network_that_treats_halves_apart_keeps_them_whole(channels: int) -> None:
    """Of six channels the graph finds three, of which two random masks dropped one each, which changes nothing."""
    assert [group.name for group in plan_channels(Between(_halves_apart, channels), SPEC).groups] == ["b"]


def test_the_random_mask_of_six_channels_keeps_as_much_of_either_half() -> None:
    """So that the test before says something: with six, random masks alone would let halves pass."""
    alive = random_masks(ChannelPlan((_group(6),), ()), torch.Generator().manual_seed(0)).alive["a"]
    assert int(alive[:3].sum()) == int(alive[3:].sum())


def test_every_other_channel_treated_apart_is_seen_though_it_survives_the_loss_of_a_half() -> None:
    assert not _proven(_every_other_apart, 8)
