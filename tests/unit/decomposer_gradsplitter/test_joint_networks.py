"""Any convolutional network is decomposed and cut: same outputs, fewer parameters."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from modelfoundry.core.channels import compact, plan_channels
from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.modules import ModuleArtifact, materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.gradsplitter.search import JointTask, search_jointly
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem, Problem

GROUPS = ((0,), (2, 1))
PROBLEMS: tuple[Problem, ...] = (BinaryProblem("a"), OpenSetProblem(("c", "b")))
FEW_STEPS = GradSplitterSettings(
    warmup_epochs=1, cycles=2, mask_epochs=2, head_epochs=1, batch_size=2, lr_mask=0.3, accuracy_loss=1.0
)


@dataclass(frozen=True)
class Case:
    builder: str
    size: int
    slow: bool = False

    @property
    def spec(self) -> InputSpec:
        return InputSpec(3, self.size, self.size, (0.5, 0.4, 0.6), (0.25, 0.3, 0.2))


CASES = (
    Case("zoo:simcnn", 32, slow=True),
    Case("zoo:rescnn", 32, slow=True),
    Case("zoo:incecnn", 32, slow=True),
    Case("zoo:resnet20", 32),
    Case("zoo:vgg16_bn", 32, slow=True),
    Case("torchvision:resnet18", 32),
    Case("torchvision:resnet50", 32, slow=True),
    Case("torchvision:mobilenet_v2", 32),
    Case("torchvision:densenet121", 32, slow=True),
    Case("torchvision:googlenet", 64, slow=True),
    Case("torchvision:efficientnet_b0", 32, slow=True),
    Case("torchvision:convnext_tiny", 32, slow=True),
    Case("torchvision:regnet_y_400mf", 32, slow=True),
    Case("torchvision:regnet_x_400mf", 32, slow=True),
)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.builder, marks=[pytest.mark.slow] * case.slow) for case in CASES]
)
def test_a_network_is_decomposed_and_cut(case: Case) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(Architecture(case.builder), 3, case.spec).eval()
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, *case.spec.shape), dtype=torch.uint8, generator=generator)
    samples = ImageSet(images, torch.tensor([0, 1, 2, 1]))
    plan = plan_channels(network, case.spec)
    task = JointTask(network, plan, GROUPS, samples, samples, 1.0, case.spec, FEW_STEPS)

    result = search_jointly(task, seed=1, device=torch.device("cpu"), monitor=Unwatched())

    whole = sum(parameter.numel() for parameter in network.parameters())
    inputs = normalise(images, case.spec)
    columns: dict[int, torch.Tensor] = {}
    for module, problem in zip(result.modules, PROBLEMS, strict=True):
        assert module.kept_kernels < module.total_kernels
        artifact = ModuleArtifact("sha256:" + "0" * 64, problem, module.masks, module.head, "gradsplitter")
        masked = materialise(network, artifact)
        small = compact(masked.network, plan, module.channels)
        assert sum(parameter.numel() for parameter in small.parameters()) < whole
        with torch.no_grad():
            logits = masked(inputs)
            torch.testing.assert_close(small(inputs), masked.network(inputs), rtol=1e-4, atol=1e-5)
        columns |= {label: logits[:, place] for place, label in enumerate(module.labels)}
    scores = torch.stack([columns[label] for label in range(3)], dim=1)
    accuracy = float((scores.argmax(dim=1) == samples.labels).float().mean())
    assert accuracy == pytest.approx(result.validation_accuracy)
