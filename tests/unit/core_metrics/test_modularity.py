"""Modules as software modules, against figures computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

from modelfoundry.core.masking import WeightMasks, maskable_layers
from modelfoundry.core.metrics import (
    active_kernels,
    cohesion,
    coupling,
    even_samples,
    kept_kernels,
    used_kernels,
)
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec


def kernels(text: str) -> Tensor:
    """`x.x` is the first and the last of three kernels."""
    return torch.tensor([letter == "x" for letter in text])


def test_coupling_is_the_mean_jaccard_index_with_every_other_module() -> None:
    assert coupling(kernels("xx.."), [kernels("x.x."), kernels("xx.."), kernels("...x")]) == pytest.approx(
        (1 / 3 + 1 + 0) / 3
    )


def test_a_module_alone_is_coupled_with_nothing() -> None:
    assert coupling(kernels("xx"), []) is None


def test_cohesion_is_the_mean_jaccard_index_over_pairs_of_samples() -> None:
    used = torch.stack([kernels("xxx."), kernels("xx.."), kernels("...x")])

    assert cohesion(used) == pytest.approx((2 / 3 + 0 + 0) / 3)


def test_samples_that_use_nothing_have_nothing_in_common() -> None:
    assert cohesion(torch.stack([kernels("..."), kernels("...")])) == 0.0
    assert cohesion(torch.stack([kernels("xxx")])) == 0.0


def test_samples_are_taken_evenly_over_labels_and_always_the_same() -> None:
    labels = torch.tensor([0] * 50 + [1] * 3 + [2] * 50 + [3] * 50)

    chosen = even_samples(labels, (0, 1, 2), limit=20)

    assert torch.bincount(labels[chosen], minlength=4).tolist() == [9, 3, 8, 0]
    assert torch.equal(chosen, even_samples(labels, (0, 1, 2), limit=20))


class _Branches(nn.Module):
    """Kernels whose outputs take one road each: an activation, a norm and activation in functions, none, a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(1, 2, 1, bias=False)
        self.normed = nn.Conv2d(1, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.bare = nn.Conv2d(1, 2, 1, bias=False)
        with torch.no_grad():
            for layer in (self.plain, self.normed, self.bare):
                layer.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.norm.running_mean.copy_(torch.tensor([5.0, -5.0]))

    def forward(self, images: Tensor) -> Tensor:
        plain = functional.relu(self.plain(images), inplace=True)
        normed = self.norm(self.normed(images)).relu_()
        return plain + normed + self.bare(images)


def test_a_kernel_is_active_as_its_consumers_see_it() -> None:
    network = _Branches().eval()
    positive, negative = torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), -2.0)

    active = active_kernels(network, torch.cat([positive, negative]))

    assert active["plain.weight"].tolist() == [[True, False], [False, True]]
    # 2 - 5 and -2 + 5, then -2 - 5 and 2 + 5: behind the norm only the second kernel is above 0.
    assert active["normed.weight"].tolist() == [[False, True], [False, True]]
    assert active["bare.weight"].tolist() == [[True, False], [False, True]]


def test_one_position_above_zero_makes_a_kernel_active() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU()).eval()
    nn.init.ones_(network[0].weight)
    images = torch.full((2, 1, 3, 3), -1.0)
    images[1, 0, 2, 2] = 1.0

    assert active_kernels(network, images)["0.weight"].tolist() == [[False], [True]]


def test_a_module_uses_kernels_that_are_kept_and_active() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.ReLU()).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, 1.0, -1.0]).view(3, 1, 1, 1))
    kept = kept_kernels(network, WeightMasks({"0.weight": kernels("x.x").view(3, 1, 1, 1)}))
    images = torch.full((20, 1, 1, 1), 255, dtype=torch.uint8)

    used = used_kernels(network, kept, images, InputSpec(1, 1, 1), torch.device("cpu"))

    assert used.tolist() == [[True, False, False]] * 20


@pytest.mark.parametrize(
    ("builder", "size"),
    [
        ("zoo:resnet20", 32),
        ("torchvision:googlenet", 64),
        ("torchvision:mobilenet_v2", 32),
        ("torchvision:densenet121", 32),
        ("timm:convnext_atto", 32),
    ],
)
def test_every_convolution_of_many_networks_is_followed(builder: str, size: int) -> None:
    spec = InputSpec(3, size, size)
    network = build_network(Architecture(builder, {}), 4, spec).eval()
    inputs = torch.randn(2, *spec.shape, generator=torch.Generator().manual_seed(0))

    active = active_kernels(network, inputs)

    convolutions = {
        layer.weight_name
        for layer in maskable_layers(network)
        if isinstance(network.get_submodule(layer.name), _ConvNd)
    }
    assert set(active) == convolutions
    assert all(rows.shape == (2, network.get_parameter(name).shape[0]) for name, rows in active.items())
