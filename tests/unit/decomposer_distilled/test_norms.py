"""Statistics taken anew, and scales and shifts that stand for them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.masking import masked_forward
from modelfoundry.decomposer.algorithms.distilling.norms import BatchNorms


class Normed(nn.Module):
    """A convolution and a norm, with statistics of earlier images."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3), norm

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.norm(self.conv(images))
        return found


def trained(norm: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    network = Normed(norm)
    for value in norm.parameters():
        nn.init.normal_(value, 1.0, 0.3)
    for _ in range(20):
        network(torch.randn(64, 1, 8, 8))
    return network.eval().requires_grad_(False)


def pruned(network: nn.Module) -> dict[str, Tensor]:
    """A convolution that lost most of its weights, and one channel as a whole."""
    weight = network.get_parameter("conv.weight").clone()
    weight[:, :, ::2] = 0
    weight[2] = 0
    return {"conv.weight": weight}


BATCHES = [2 * torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) + 1 for seed in range(4)]


def by_hand(network: nn.Module, state: dict[str, Tensor]) -> Tensor:
    """Normalised by the mean over batches of means and of unbiased variances."""
    with torch.no_grad():
        parts = [
            torch.func.functional_call(network.get_submodule("conv"), {"weight": state["conv.weight"]}, (batch,))
            for batch in BATCHES
        ]
    mean = torch.stack([part.mean(dim=(0, 2, 3)) for part in parts]).mean(dim=0)[:, None, None]
    variance = torch.stack([part.var(dim=(0, 2, 3)) for part in parts]).mean(dim=0)[:, None, None]
    return (parts[0] - mean) / (variance + 1e-5).sqrt()


def test_scales_and_shifts_stand_for_statistics_taken_anew() -> None:
    network = trained(nn.BatchNorm2d(6))
    state, before = pruned(network), copy.deepcopy(network.state_dict())
    norms = BatchNorms(network)
    with torch.no_grad():
        for value in norms.trained.values():
            value.add_(0.1)
    found = norms.estimate(state, BATCHES)
    scale, shift = (norms.trained[f"norm.{part}"].detach()[:, None, None] for part in ("weight", "bias"))
    own = masked_forward(network, {**state, **{name: value.float() for name, value in found.items()}}, BATCHES[0])
    assert set(found) == {"norm.weight", "norm.bias"}
    assert all(value.dtype == torch.float16 for value in found.values())
    assert torch.allclose(own, by_hand(network, state) * scale + shift, atol=0.02)  # 16 bits
    kept = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert all(torch.equal(value, before[name]) for name, value in kept.items())
    assert not network.training


def test_a_channel_that_lost_all_weights_is_its_shift_exactly() -> None:
    network = trained(nn.BatchNorm2d(6))
    network.get_parameter("conv.bias")[2] = 300.0  # far from the base's mean, as dead channels can be
    norms = BatchNorms(network)
    found = norms.estimate(pruned(network), BATCHES)
    own = masked_forward(
        network, {**pruned(network), **{name: value.float() for name, value in found.items()}}, BATCHES[0]
    )
    assert found["norm.weight"][2] == 0
    assert torch.equal(own[:, 2].unique(), found["norm.bias"][2].float()[None])


def test_large_numbers_are_stored_in_32_bits() -> None:
    network = trained(nn.BatchNorm2d(6))
    norms = BatchNorms(network)
    with torch.no_grad():
        norms.trained["norm.weight"][1] = 3000.0
    found = norms.estimate(pruned(network), BATCHES)
    assert found["norm.weight"].dtype == torch.float32


def test_of_a_norm_without_scale_and_shift_the_statistics_are_rewritten() -> None:
    network = trained(nn.BatchNorm2d(6, affine=False))
    norms = BatchNorms(network)
    found = norms.estimate(pruned(network), BATCHES)
    own = masked_forward(
        network, {**pruned(network), **{name: value.float() for name, value in found.items()}}, BATCHES[0]
    )
    assert not norms.trained
    assert set(found) == {"norm.running_mean", "norm.running_var"}
    assert torch.allclose(own, by_hand(network, pruned(network)), atol=0.02)


@pytest.mark.parametrize(
    "norm", [nn.GroupNorm(2, 6), nn.LayerNorm((6, 6, 6)), nn.Identity(), nn.BatchNorm2d(6, track_running_stats=False)]
)
def test_norms_without_statistics_stay_as_they_are(norm: nn.Module) -> None:
    network = trained(norm)
    before = network(BATCHES[0])
    norms = BatchNorms(network)
    norms.normalise_by_batch()
    assert not norms.trained
    assert norms.estimate({}, BATCHES) == {}
    assert torch.equal(network(BATCHES[0]), before)


def test_a_batch_is_normalised_by_itself_and_running_statistics_stay() -> None:
    network = trained(nn.BatchNorm2d(6))
    before = copy.deepcopy(network.state_dict())
    norms = BatchNorms(network)
    norms.normalise_by_batch()
    found = network(BATCHES[0])
    scale, shift = (network.get_parameter(f"norm.{part}") for part in ("weight", "bias"))
    assert torch.allclose(found.mean(dim=(0, 2, 3)), shift, atol=1e-4)
    assert torch.allclose(found.std(dim=(0, 2, 3)), scale.abs(), atol=1e-2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
