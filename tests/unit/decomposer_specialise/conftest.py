from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.architectures.zoo.resnet import CifarResNet
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(3, 8, 8)


@pytest.fixture(scope="session")
def images() -> Tensor:
    """Normalised, of `SPEC`."""
    return torch.rand(24, *SPEC.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="session")
def trained(images: Tensor) -> CifarResNet:
    """A residual network of two blocks a stage whose answers are far from random, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CifarResNet(4, 3, 2, "A")
        answers = torch.arange(len(images)) % 4
        optimiser = torch.optim.Adam(network.parameters(), 0.01)
        for _ in range(20):
            optimiser.zero_grad()
            functional.cross_entropy(network.train()(images), answers).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network.eval().requires_grad_(False)


@pytest.fixture
def network(trained: CifarResNet) -> nn.Module:
    """The same; tests leave it as it is."""
    return trained
