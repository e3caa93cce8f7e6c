from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import ChannelGroup, ChannelPlan
from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.decomposer.algorithms.gradsplitter.search import JointTask
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.errors import Cancelled
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(2, 4, 4, (0.5, 0.4), (0.25, 0.3))


class TinyCnn(nn.Module):
    """Three convolutions, the last two with one sum behind them, and a classifier of four labels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv3, self.norm3 = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.pool, self.drop = nn.AvgPool2d(2), nn.Dropout(0.5)
        self.classify = nn.Linear(6 * 2 * 2, 4)

    def forward(self, images: Tensor) -> Tensor:
        first = self.norm1(self.conv1(images)).relu()
        second = self.pool(self.norm2(self.conv2(first)).relu())
        third = self.norm3(self.conv3(second)).relu()
        logits: Tensor = self.classify(self.drop((second + third).flatten(1)))
        return logits

    def masked(self, images: Tensor, first_bits: Tensor, sum_bits: Tensor) -> Tensor:
        """The paper's way: every activation behind its ReLU times its channel's bit, dropout skipped."""
        self.eval()
        first = self.norm1(self.conv1(images)).relu() * first_bits[:, None, None]
        second = self.pool(self.norm2(self.conv2(first)).relu() * sum_bits[:, None, None])
        third = self.norm3(self.conv3(second)).relu() * sum_bits[:, None, None]
        logits: Tensor = self.classify((second + third).flatten(1))
        return logits


def tiny_plan() -> ChannelPlan:
    """What there is to know about the channels of `TinyCnn`, by hand."""
    four, six = torch.arange(4), torch.arange(6)
    first = ChannelGroup("conv1", 4, {"conv1": four}, {"norm1": four}, {"conv2": four}, is_kernel=True)
    last = ChannelGroup(
        "conv2",
        6,
        {"conv2": six, "conv3": six},
        {"norm2": six, "norm3": six},
        {"conv3": six, "classify": six.repeat_interleave(4)},
        is_kernel=True,
    )
    return ChannelPlan((first, last), ())


@pytest.fixture
def tiny() -> TinyCnn:
    """Trained for a moment, so that it is right most of the time."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = TinyCnn()
        optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
        images = _images(44, 3)
        for _ in range(30):
            optimiser.zero_grad()
            logits = network(normalise(images.images, SPEC))
            nn.functional.cross_entropy(logits, images.labels).backward()
            optimiser.step()
    return network


def _images(count: int, seed: int) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    images = torch.randint(0, 120, (count, 2, 4, 4), dtype=torch.uint8, generator=generator)
    for place, label in enumerate(labels.tolist()):  # a bright corner says the label
        images[place, :, 2 * (label // 2) : 2 * (label // 2) + 2, 2 * (label % 2) : 2 * (label % 2) + 2] += 130
    return ImageSet(images, labels)


@pytest.fixture
def make_task(tiny: TinyCnn) -> Callable[..., JointTask]:
    """`make_task(**settings)`: two modules of one label and one of two, trained in a few quick steps."""

    def make(label_groups: tuple[tuple[int, ...], ...] = ((2,), (0, 3), (1,)), **overrides: float) -> JointTask:
        settings = {
            "warmup_epochs": 2,
            "cycles": 2,
            "mask_epochs": 2,
            "head_epochs": 2,
            "batch_size": 16,
            "lr_warmup": 0.05,
            "lr_head": 0.02,
            "lr_mask": 0.15,
            "alpha": 2.0,
            "accuracy_loss": 0.5,
            **overrides,
        }
        return JointTask(
            network=tiny,
            plan=tiny_plan(),
            label_groups=label_groups,
            train=_images(44, 1),
            validation=_images(24, 2),
            base_accuracy=0.9,
            input_spec=SPEC,
            settings=GradSplitterSettings(**settings),
        )

    return make


class Watcher:
    """Keeps every checkpoint and cancels when it is told to."""

    def __init__(self, folder: Path, stop_after: int | None = None) -> None:
        self.folder, self.stop_after = folder, stop_after
        self.seen: list[tuple[str, int, int, dict[str, float]]] = []
        self.checkpoints: list[Path] = []

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: dict[str, float]) -> None:
        assert unit == "step"
        self.seen.append((phase, done, total, dict(metrics)))

    def check_cancelled(self) -> None:
        if self.stop_after is not None and len(self.checkpoints) >= self.stop_after:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        self.checkpoints.append(self.folder / f"{len(self.checkpoints)}.safetensors")
        write(self.checkpoints[-1])


@pytest.fixture
def make_watcher(tmp_path: Path) -> Callable[..., Watcher]:
    """`make_watcher(stop_after=n)`."""
    return lambda stop_after=None: Watcher(tmp_path, stop_after)
