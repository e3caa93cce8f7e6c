from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.values.problems import BinaryProblem

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def network() -> nn.Module:
    """A convolution with BatchNorm and two linear layers, five labels, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 6 * 6, 8, bias=False),
            nn.Linear(8, 5),
        )
        layers[1].running_mean.uniform_(-1, 1)
        layers[1].running_var.uniform_(0.5, 2)
    return layers.eval()


@pytest.fixture
def artifact(network: nn.Module) -> ModuleArtifact:
    generator = torch.Generator().manual_seed(4)
    names = ("0.weight", "0.bias", "4.weight", "5.weight", "5.bias")
    bits = {name: torch.rand(network.get_parameter(name).shape, generator=generator) < 0.4 for name in names}
    head = LinearHead.of(torch.randn(2, 5, generator=generator), torch.randn(2, generator=generator))
    return ModuleArtifact(DIGEST, BinaryProblem("horse"), WeightMasks(bits), head, "seam")


@pytest.fixture
def module_file(tmp_path: Path, artifact: ModuleArtifact) -> Path:
    path = tmp_path / "module.safetensors"
    write_module(path, artifact)
    return path
