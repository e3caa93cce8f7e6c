from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from modelfoundry.core.channels import (
    ChannelMasks,
    KeptChannels,
    LayerCut,
    Projection,
    plan_channels,
    plan_cuts,
)
from modelfoundry.core.heads import LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, write_module
from modelfoundry.values.architectures import InputSpec
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
def rewriting_artifact(network: nn.Module) -> ModuleArtifact:
    """A module of every part that there is: one kernel and one hidden unit cut, norms rewritten, the rest masked."""
    plan = plan_channels(network, InputSpec(2, 6, 6))
    kernels, units = torch.arange(4) != 2, torch.arange(8) != 5
    cuts = plan_cuts(plan, ChannelMasks({"0": kernels, "4": units}))
    generator = torch.Generator().manual_seed(8)
    shapes = {"0.weight": (3, 2, 3, 3), "0.bias": (3,), "4.weight": (7, 108), "5.weight": (5, 7), "5.bias": (5,)}
    norm = {f"1.{part}": torch.rand(3, generator=generator) + 0.5 for part in ("weight", "running_var")}
    return ModuleArtifact(
        base_digest=DIGEST,
        problem=BinaryProblem("horse"),
        masks=WeightMasks({name: torch.rand(shape, generator=generator) < 0.6 for name, shape in shapes.items()}),
        head=LogOddsHead(5, (3,), True, torch.tensor([0.5]), torch.tensor([-0.25])),
        algorithm="tried",
        rewritten=RewrittenTensors(
            {
                **norm,
                "1.bias": torch.tensor([0.5, -1.0, 2.0]).half(),
                "5.weight": torch.randn(5, 7, generator=generator),
            }
        ),
        cuts=cuts,
    )


@pytest.fixture
def module_file(tmp_path: Path, artifact: ModuleArtifact) -> Path:
    path = tmp_path / "module.safetensors"
    write_module(path, artifact)
    return path


@pytest.fixture
def operating_artifact(rewriting_artifact: ModuleArtifact) -> ModuleArtifact:
    """The same with a convolution in the place of the activation, which loses a channel like its neighbours."""
    three = KeptChannels(4, (0, 1, 3))
    weight = torch.randn(3, 3, 1, 1, generator=torch.Generator().manual_seed(5))
    return replace(
        rewriting_artifact,
        rewritten=RewrittenTensors({**rewriting_artifact.rewritten.tensors, "2.weight": weight}),
        cuts=(*rewriting_artifact.cuts, LayerCut("2", three, three)),
        operations=(Projection("2", 4, 4, 1),),
    )
