"""Compositions as networks: what they compute, and that equal work is done once."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from modelfoundry.core.composing import (
    Calibration,
    ComposedNetwork,
    Member,
    Readout,
    compose_network,
    ensemble_probabilities,
    log_odds,
)
from modelfoundry.core.inference import predict_labels
from modelfoundry.core.metrics import cost
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

SPEC = InputSpec(3, 32, 32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
OTHER = InputSpec(3, 32, 32, (0.1, 0.2, 0.3), (0.9, 0.8, 0.7))
IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def trained_alike(builder: str, seed: int = 5) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(Architecture(builder), 4, SPEC)
        network.train()
        with torch.no_grad():
            network(torch.rand(8, *SPEC.shape) * 2 - 1)
    return network.eval()


def with_another_end(network: nn.Module, seed: int) -> nn.Module:
    """A copy that differs in its last parameter only."""
    other = copy.deepcopy(network)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        list(other.parameters())[-1].uniform_(-1, 1)
    return other


MEMBERS = (
    Member(0, Readout(1), Calibration(0.5, 0.25)),
    Member(1, Readout(0)),
    Member(0, Readout(3)),
    Member(2, Readout(2), Calibration(2.0, -1.0)),
)


def normalised(images: Tensor, spec: InputSpec) -> Tensor:
    return (images - torch.tensor(spec.mean).view(-1, 1, 1)) / torch.tensor(spec.std).view(-1, 1, 1)


def by_hand(networks: list[nn.Module], images: Tensor) -> Tensor:
    """Members run one by one, each on its own copy of its network, on images that are normalised before."""
    columns = []
    for member in MEMBERS:
        logits = copy.deepcopy(networks[member.source])(normalised(images, SPEC))
        calibration = member.calibration
        columns.append(log_odds(logits, member.readout) * calibration.scale + calibration.bias)
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("builder", ["zoo:resnet20", "zoo:incecnn", "timm:resnet10t"])
def test_members_of_one_trunk_compute_what_they_compute_one_by_one_with_fewer_operations(builder: str) -> None:
    base = trained_alike(builder)
    networks = [base, with_another_end(base, 1), with_another_end(base, 2)]
    with torch.inference_mode():
        expected = by_hand(networks, IMAGES)
    alone = cost(base, SPEC)
    composed, whole = compose_network([(network, SPEC) for network in networks], MEMBERS, "abcd")
    assert whole == InputSpec(3, 32, 32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    with torch.inference_mode():
        torch.testing.assert_close(composed(IMAGES), expected, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(composed(IMAGES), expected, atol=1e-6, rtol=1e-6)  # nothing is left over
    together = cost(composed, whole)
    assert together.macs_dense < 1.1 * alone.macs_dense
    assert together.parameter_bytes < 1.1 * alone.parameter_bytes


def test_networks_without_anything_in_common_share_nothing() -> None:
    networks = [trained_alike("zoo:resnet20", seed) for seed in (1, 2, 3)]
    with torch.inference_mode():
        expected = by_hand(networks, IMAGES)
    costs = [cost(network, SPEC).macs_dense for network in networks]
    composed, whole = compose_network([(network, SPEC) for network in networks], MEMBERS, "abcd")
    with torch.inference_mode():
        torch.testing.assert_close(composed(IMAGES), expected)
    assert cost(composed, whole).macs_dense == sum(costs)


def test_members_normalise_in_their_own_ways() -> None:
    networks = [trained_alike("zoo:resnet20", seed) for seed in (1, 2, 3)]
    specs = [SPEC, OTHER, SPEC]
    pixels = (IMAGES * 255).round().to(torch.uint8)
    with torch.inference_mode():
        logits = [network(normalised(pixels / 255, spec)) for network, spec in zip(networks, specs, strict=True)]
    expected = torch.stack([m.calibration(log_odds(logits[m.source], m.readout)) for m in MEMBERS], dim=1)
    composed, whole = compose_network(list(zip(networks, specs, strict=True)), MEMBERS, "abcd")
    with torch.inference_mode():
        torch.testing.assert_close(composed(pixels / 255), expected, atol=1e-5, rtol=1e-5)
    chosen = predict_labels(composed, pixels, whole, batch_size=2, device=torch.device("cpu"))
    assert torch.equal(chosen, expected.sigmoid().argmax(dim=1))


def test_images_of_different_sizes_cannot_be_composed() -> None:
    networks = [trained_alike("zoo:resnet20"), trained_alike("zoo:resnet20")]
    with pytest.raises(ValueError, match=r"\(3, 16, 16\) and \(3, 32, 32\)"):
        compose_network([(networks[0], SPEC), (networks[1], InputSpec(3, 16, 16))], [Member(0, Readout(0))], "a")


def test_an_exported_composition_shares_too() -> None:
    base = trained_alike("zoo:resnet20")
    networks = [base, with_another_end(base, 1), with_another_end(base, 2)]
    composed, _ = compose_network([(network, SPEC) for network in networks], MEMBERS, "abcd")
    example = (torch.zeros(2, *SPEC.shape),)
    program = torch.export.export(composed, example, dynamic_shapes=({0: Dim("n", min=1)},), strict=False)
    alone = torch.export.export(base, example, dynamic_shapes=({0: Dim("n", min=1)},), strict=False)
    with torch.inference_mode():
        torch.testing.assert_close(program.module()(IMAGES), composed(IMAGES), atol=1e-6, rtol=1e-6)
    assert convolutions(program) == convolutions(alone)


def convolutions(program: torch.export.ExportedProgram) -> int:
    return sum("conv2d" in str(node.target) for node in program.graph.nodes)


class InPlace(nn.Module):
    """Changes its features in place in one of several ways."""

    def __init__(self, change: Callable[[Tensor], Tensor], factor: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.change = change
        self.factor = factor

    def forward(self, images: Tensor) -> Tensor:
        features = self.change(self.conv(images))
        logits: Tensor = (features * self.factor).mean(dim=(2, 3))
        return logits


def clamp(features: Tensor) -> Tensor:
    return features.clamp_(min=0.0)


def add_operator(features: Tensor) -> Tensor:
    features += 1.0
    return features


def assign(features: Tensor) -> Tensor:
    features[:, 0] = 7.0
    return features


def relu_in_place(features: Tensor) -> Tensor:
    return nn.functional.relu(features, inplace=True)


def alias(features: Tensor) -> Tensor:
    same = features
    features += 1.0
    return same


@pytest.mark.parametrize(
    ("change", "shares"),
    [(clamp, False), (add_operator, True), (assign, False), (relu_in_place, True), (alias, False)],
)
def test_in_place_operations_never_change_what_is_remembered(change: Callable[[Tensor], Tensor], shares: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = InPlace(change, 1.0)
    networks: list[nn.Module] = [first, copy.deepcopy(first), copy.deepcopy(first)]
    networks[1].factor, networks[2].factor = 2.0, 3.0
    with torch.inference_mode():
        expected = by_hand(networks, IMAGES)
    alone = cost(networks[0], SPEC).macs_dense
    composed, whole = compose_network([(network, SPEC) for network in networks], MEMBERS, "abcd")
    with torch.inference_mode():
        torch.testing.assert_close(composed(IMAGES), expected)
    assert cost(composed, whole).macs_dense == alone * (1 if shares else 3)


def test_moving_and_copying_keeps_shared_tensors_shared() -> None:
    base = trained_alike("zoo:resnet20")
    networks = [base, with_another_end(base, 1), with_another_end(base, 2)]
    composed, whole = compose_network([(network, SPEC) for network in networks], MEMBERS, "abcd")
    expected = cost(composed, whole)
    doubled = copy.deepcopy(composed).double().float()
    assert cost(doubled, whole) == expected
    assert isinstance(doubled, ComposedNetwork)


def test_an_ensemble_is_the_mean_of_probabilities() -> None:
    first, second = torch.tensor([[0.0, 10.0]]), torch.tensor([[3.0, 0.0]])
    found = ensemble_probabilities([first, second])
    torch.testing.assert_close(found, (first.softmax(1) + second.softmax(1)) / 2)
    assert int(found.argmax()) == 1
