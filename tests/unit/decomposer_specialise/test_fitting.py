"""Least squares: of one layer, never worse than what was inherited; of a network, nearer to what it was before."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.channels import Bypass, ChannelMasks, cut, operated, plan_channels, plan_cuts, with_projections
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.specialise.fitting import refit, ridge_weights
from modelfoundry.decomposer.algorithms.specialise.fitting.flow import flow_of
from modelfoundry.decomposer.algorithms.specialise.fitting.layers import places_of, rows_read, rows_written
from modelfoundry.errors import Cancelled
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(3, 8, 8)


@given(seed=st.integers(0, 2**31), rows=st.integers(1, 40), inputs=st.integers(1, 12), bias=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_fit_is_worse_than_the_inherited_weights(seed: int, rows: int, inputs: int, bias: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    read, wanted = torch.randn(rows, inputs, generator=generator), torch.randn(rows, 3, generator=generator)
    inherited = torch.randn(3, inputs, generator=generator)
    found = ridge_weights(read, wanted, inherited, bias=bias)
    left = wanted - read @ found[:, :inputs].T - (found[:, inputs] if bias else 0)
    before = wanted - read @ inherited.T
    if bias:
        before = before - before.mean(0)
    assert float(left.square().sum()) <= float(before.square().sum()) * (1 + 1e-4) + 1e-4


def test_weights_that_are_right_stay() -> None:
    generator = torch.Generator().manual_seed(0)
    read, right = torch.randn(30, 5, generator=generator), torch.randn(2, 5, generator=generator)
    found = ridge_weights(read, read @ right.T + 3, right, bias=True)
    torch.testing.assert_close(found, torch.cat([right, torch.full((2, 1), 3.0)], dim=1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(nn.Conv2d(3, 2, 3, stride=2, padding=1, bias=False), id="stride and padding"),
        pytest.param(nn.Conv2d(3, 2, (3, 1), dilation=2, padding="same", bias=False), id="dilation"),
    ],
)
def test_rows_are_what_outputs_are_made_of(layer: nn.Conv2d, images: Tensor) -> None:
    with torch.no_grad():
        outputs = layer(images)
        places = places_of(outputs.shape, 7, torch.Generator().manual_seed(0))
        rows = rows_read(layer, images, outputs.shape[3], places)
        torch.testing.assert_close(rows @ layer.weight.flatten(1).T, rows_written(outputs, places))


def test_residual_blocks_and_norms_are_followed(network: nn.Module, images: Tensor) -> None:
    flow = flow_of(with_projections(network, SPEC)[0], images)
    assert [(block.name, block.end) for block in flow.blocks] == [
        (f"layer{stage}.{place}", f"layer{stage}.{place}.conv2") for stage in (1, 2, 3) for place in (0, 1)
    ]
    assert [block.shortcut for block in flow.blocks][::2] == [f"layer{stage}.0.shortcut" for stage in (1, 2, 3)]
    assert flow.norms["layer2.0.conv1"] == "layer2.0.bn1"
    assert "linear" not in flow.norms


def _narrowed(network: nn.Module) -> tuple[nn.Module, nn.Module, tuple[object, ...]]:
    """The network with projections, and half of it."""
    whole, _ = with_projections(network, SPEC)
    plan = plan_channels(whole, SPEC)
    masks = ChannelMasks({group.name: torch.arange(group.units) % 2 == 0 for group in plan.groups})
    cuts = plan_cuts(plan, masks)
    return whole, cut(whole, cuts), cuts


def test_a_refitted_network_is_nearer_to_what_it_was(network: nn.Module, images: Tensor) -> None:
    whole, small, cuts = _narrowed(network)
    before = float(functional.mse_loss(small(images), whole(images)))
    refit(small, whole, cuts, images, Unwatched())  # type: ignore[arg-type]
    assert float(functional.mse_loss(small(images), whole(images))) < 0.25 * before


def test_all_layers_are_fitted_in_two_passes(network: nn.Module, images: Tensor) -> None:
    whole, small, cuts = _narrowed(network)
    passes: list[int] = []
    small.register_forward_pre_hook(lambda _, given: passes.append(len(given[0])))
    refit(small, whole, cuts, images, Unwatched())  # type: ignore[arg-type]
    assert passes == [8, len(images)]


def test_norms_fit_the_batch_as_well_as_what_they_keep(network: nn.Module, images: Tensor) -> None:
    whole, small, cuts = _narrowed(network)
    refit(small, whole, cuts, images, Unwatched())  # type: ignore[arg-type]
    kept = small(images)
    by_batch = small.train()(images)
    assert float((kept - by_batch).abs().mean()) < 0.2 * float(kept.std())


@pytest.mark.parametrize("left_out", ["layer1.1", "layer1.0", "layer3.1"])
def test_what_stays_makes_up_for_a_block_that_goes(network: nn.Module, images: Tensor, left_out: str) -> None:
    small = operated(network, [Bypass(left_out)]).eval()
    before = float(functional.mse_loss(small(images), network(images)))
    refit(small, network, (), images, Unwatched())
    assert float(functional.mse_loss(small(images), network(images))) < 0.5 * before


def test_a_cancel_ends_it(network: nn.Module, images: Tensor) -> None:
    class Ended(Unwatched):
        def check_cancelled(self) -> None:
            raise Cancelled("now")

    with pytest.raises(Cancelled):
        refit(operated(network, []).eval(), network, (), images, Ended())
