"""Which weights stay: exactly so many, and the greatest of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.magnitude.masks import greatest_weights
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import Architecture, InputSpec


class Tied(nn.Module):
    """Layers of very different sizes; two of them share a weight, and a norm is never masked."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.last = nn.Linear(3, 2)
        with torch.no_grad():
            self.first.weight.copy_(torch.arange(9.0).reshape(3, 3) - 4)  # -4 ... 4: equal sizes in pairs
            self.first.bias.copy_(torch.tensor([0.5, -10.0, 0.25]))
            self.last.weight.copy_(torch.tensor([[0.0, 3.5, -3.5], [0.1, 0.2, 0.3]]))
            self.last.bias.copy_(torch.tensor([7.0, -0.05]))


def chosen_by_hand(network: nn.Module, count: int) -> set[tuple[str, int]]:
    """The places of the `count` greatest weights and biases of convolutions and linear layers, found one by one."""
    entries = []
    seen: set[int] = set()
    for layer_name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            for part, parameter in layer.named_parameters(recurse=False):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    values = parameter.detach().numpy().ravel()
                    entries += [(f"{layer_name}.{part}", place, abs(float(v))) for place, v in enumerate(values)]
    order = np.argsort([-size for *_, size in entries], kind="stable")
    return {entries[place][:2] for place in order[:count]}


def kept_places(network: nn.Module, retention: float) -> set[tuple[str, int]]:
    bits = greatest_weights(network, retention).bits
    return {(name, place) for name, mask in bits.items() for place in mask.flatten().nonzero().flatten().tolist()}


@pytest.mark.parametrize("retention", [0.05, 0.1, 0.35, 0.5, 0.8, 1.0])
def test_they_are_those_that_a_search_one_by_one_finds(retention: float) -> None:
    network = Tied()
    count = max(1, round(20 * retention))
    assert kept_places(network, retention) == chosen_by_hand(network, count)


@pytest.mark.parametrize("builder", ["zoo:digits_cnn", "zoo:resnet20"])
@pytest.mark.parametrize("retention", [1e-9, 0.013, 0.1, 0.5, 1.0])
def test_the_density_is_exact_in_real_networks(builder: str, retention: float) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spec = InputSpec(1, 8, 8) if builder == "zoo:digits_cnn" else InputSpec(3, 32, 32)
        network = build_network(Architecture(builder), 10, spec)
    masks = greatest_weights(network, retention)
    assert masks.kept == max(1, round(retention * masks.total))
    parameters = dict(network.named_parameters())
    left, gone = (
        torch.cat([parameters[name].detach().abs()[bits == want].flatten() for name, bits in masks.bits.items()])
        for want in (True, False)
    )
    assert gone.numel() == 0 or float(left.min()) >= float(gone.max())


def test_of_equal_weights_those_that_come_first_stay() -> None:
    network = nn.Linear(4, 2, bias=False)
    nn.init.constant_(network.weight, -0.5)
    assert greatest_weights(network, 0.375).bits["weight"].tolist() == [[True, True, True, False], [False] * 4]


def test_a_network_without_layers_to_mask_is_refused() -> None:
    with pytest.raises(UnsupportedModel):
        greatest_weights(nn.Sequential(nn.BatchNorm2d(3)), 0.5)
