"""A small distillation for tests: four labels by brightness, a network with everything that could break repeating."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.devices import Precision
from modelfoundry.core.evaluation import pose
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.seam.distilled.search import DistillationTask, Distilled
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.errors import Cancelled
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.problems import BinaryProblem, Problem

CPU = torch.device("cpu")
GREY = InputSpec(1, 8, 8, mean=(0.3,), std=(0.4,))
LABELS = ("ant", "bee", "cow", "dog")
BEE = BinaryProblem("bee")
QUICK = DistilledSettings(retention=0.25, steps=8, batch_size=16, lr_mask=0.02, augmentation="crop")


class DroppingOut(nn.Module):
    """A network with everything that could break repeating: dropout, batch statistics, a layer that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.3)
        self.linear = nn.Linear(8, 4)
        self.unused = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.bn(self.conv(images))).mean(dim=(2, 3))
        logits: Tensor = self.linear(self.dropout(features))
        return logits


def images(count: int, seed: int) -> ImageSet:
    """Images that are brighter for every label, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=generator)
    noise = torch.randint(0, 100, (count, 1, 8, 8), generator=generator)
    return ImageSet((noise + 40 * labels[:, None, None, None]).to(torch.uint8), labels)


def trained(network: nn.Module, rate: float = 0.02) -> nn.Module:
    """The network after a few steps, so that it knows the labels."""
    part = images(200, seed=9)
    optimiser = torch.optim.Adam(network.parameters(), rate)
    for _ in range(40):
        optimiser.zero_grad()
        functional.cross_entropy(network.train()(normalise(part.images, GREY)), part.labels).backward()
        optimiser.step()
    return network.eval()


def task(
    network: nn.Module,
    settings: DistilledSettings = QUICK,
    monitor: Unwatched | None = None,
    *,
    problem: Problem = BEE,
    seed: int = 3,
    resume: Path | None = None,
    pool: ViewPool | None = None,
    precision: Precision = "float32",
) -> DistillationTask:
    return DistillationTask(
        network=network,
        target=Target.of(problem, LABELS),
        pool=pool
        or ViewPool(
            network,
            images(90, seed=1),
            GREY,
            augmentation=settings.augmentation,
            seed=seed,
            device=CPU,
            precision=precision,
        ),
        validation=pose(images(60, seed=2), problem, LABELS),
        input_spec=GREY,
        settings=settings,
        seed=seed,
        device=CPU,
        precision=precision,
        monitor=monitor or Unwatched(),
        resume=resume,
    )


def same(one: Distilled, other: Distilled) -> bool:
    return (
        one.masks == other.masks
        and one.rewritten.keys() == other.rewritten.keys()
        and all(torch.equal(value, other.rewritten[name]) for name, value in one.rewritten.items())
        and (one.head, one.validation_accuracy) == (other.head, other.validation_accuracy)
    )


class Keeping(Unwatched):
    """Keeps the checkpoint of every step, and cancels when asked so often."""

    def __init__(self, folder: Path, cancel_at: int | None = None) -> None:
        self.paths: list[Path] = []
        self.reports: list[tuple[str, int, int, dict[str, float]]] = []
        self._folder, self._cancel_at, self._asked = folder, cancel_at, 0

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        self.reports.append((phase, done, total, dict(metrics)))

    def check_cancelled(self) -> None:
        self._asked += 1
        if self._asked == self._cancel_at:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        path = self._folder / f"{len(self.paths)}.safetensors"
        write(path)
        self.paths.append(path)


def accuracy(network: nn.Module, found: Distilled, problem: Problem, part: ImageSet) -> float:
    """Of the module as it is stored and put together again."""
    digest, posed = f"sha256:{'0' * 64}", pose(part, problem, LABELS)
    rewritten = RewrittenTensors(found.rewritten)
    module = materialise(network, ModuleArtifact(digest, problem, found.masks, found.head, "seam", rewritten))
    with torch.no_grad():
        answers = module(normalise(posed.images, GREY)).argmax(dim=1)
    return float((answers == posed.labels).float().mean())
