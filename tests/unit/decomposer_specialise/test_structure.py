"""Tiers, widths and which units stay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import plan_channels, with_projections
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.specialise.saliency import best_units, gate_gradient, saliency
from modelfoundry.decomposer.algorithms.specialise.structure import Structure, group_widths, halfway, tiers_of
from modelfoundry.decomposer.algorithms.specialise.widths import widths_of_text
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(3, 8, 8)


def test_a_residual_network_has_a_tier_a_stage(network: nn.Module) -> None:
    plan = plan_channels(with_projections(network, SPEC)[0], SPEC)
    tiers = tiers_of(plan)
    assert [tier.units for tier in tiers] == [16, 32, 64]
    assert tiers[1].groups == ("layer2.0.conv1", "layer2.0.conv2", "layer2.1.conv1")
    assert sorted(set(halfway(plan, group_widths(plan, tiers, (8, 16, 36))).values())) == [11, 23, 48]


@pytest.mark.parametrize("widths", [(8, 16), (8, 16, 65)], ids=["too few", "too wide"])
def test_widths_that_the_network_does_not_have_are_refused(network: nn.Module, widths: tuple[int, ...]) -> None:
    plan = plan_channels(with_projections(network, SPEC)[0], SPEC)
    with pytest.raises(ValueError, match="within 16-32-64"):
        group_widths(plan, tiers_of(plan), widths)


def test_structures_are_said_as_they_are_asked_for() -> None:
    assert str(Structure((16, 8))) == "16-8"
    assert str(Structure((16, 8), 2)) == "16-8, 2 blocks fewer"
    assert widths_of_text("16-8-300") == (16, 8, 300)


@pytest.mark.parametrize("text", ["", "16-", "0-4", "a", "-1", "1" * 7, "1-" * 64 + "1"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no list of widths"):
        widths_of_text(text)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(nn.Conv2d(4, 6, 3, padding=1), id="convolution"),
        pytest.param(nn.Conv2d(4, 6, 3, padding=1, groups=2), id="groups"),
        pytest.param(nn.ConvTranspose2d(4, 6, 2), id="transposed"),
    ],
)
def test_a_gate_has_the_gradient_of_what_it_multiplies(layer: nn.Module) -> None:
    images = torch.rand(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    gate = torch.ones(4, 1, 1, requires_grad=True)
    layer(images * gate).square().sum().backward()
    torch.testing.assert_close(gate_gradient(layer), gate.grad.flatten() if gate.grad is not None else None)


def test_units_that_answer_nothing_score_nothing(images: Tensor) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    ).eval()
    with torch.no_grad():
        network.get_parameter("4.weight")[:, [1, 4]] = 0
    plan = plan_channels(network, SPEC)
    scores = saliency(
        network,
        plan,
        [images[:12], images[12:]],
        Target(4, (2,), True),
        temperature=4.0,
        generator=torch.Generator().manual_seed(0),
        monitor=Unwatched(),
    )
    assert (scores["0"] == 0).tolist() == [False, True, False, False, True, False]
    (tier,) = tiers_of(plan)
    assert best_units(plan, scores, dict.fromkeys(tier.groups, 4)).alive["0"].tolist() == [
        True,
        False,
        True,
        True,
        False,
        True,
    ]
    assert all(parameter.grad is None for parameter in network.parameters())
