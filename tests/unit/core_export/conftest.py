from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from modelfoundry.core.export import ExportSubject
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, materialise
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

DIGEST = "sha256:" + "12" * 32


def _trained_alike(builder: str, spec: InputSpec) -> nn.Module:
    """A network with random weights whose BatchNorm statistics are not the initial ones."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(Architecture(builder), 10, spec)
        network.train()
        with torch.no_grad():
            network(torch.rand(8, *spec.shape) * 2 - 1)
    return network.eval()


@pytest.fixture(scope="session")
def module_subject() -> Callable[[str, InputSpec], ExportSubject]:
    """Makes a binary module with a third of the weights of a network of ten labels."""

    def make(builder: str, spec: InputSpec) -> ExportSubject:
        network = _trained_alike(builder, spec)
        generator = torch.Generator().manual_seed(6)
        layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        bits = {
            f"{name}.{part}": torch.rand(parameter.shape, generator=generator) < 0.34
            for name, layer in layers
            for part, parameter in layer.named_parameters()
        }
        head = LinearHead.of(torch.randn(2, 10, generator=generator), torch.randn(2, generator=generator))
        artifact = ModuleArtifact(DIGEST, BinaryProblem("3"), WeightMasks(bits), head, "seam")
        return ExportSubject(
            network=materialise(network, artifact),
            outputs=("3", "rest"),
            architecture=Architecture(builder),
            label_count=10,
            input_spec=spec,
            weights_digest=DIGEST,
            problem=artifact.problem,
        )

    return make


@pytest.fixture(scope="session")
def model_subject() -> Callable[[str, InputSpec], ExportSubject]:
    """Makes a model of ten labels."""

    def make(builder: str, spec: InputSpec) -> ExportSubject:
        labels = tuple(f"label {number}" for number in range(10))
        return ExportSubject(_trained_alike(builder, spec), labels, Architecture(builder), 10, spec, DIGEST)

    return make
