"""One problem's module as masks over weights and a linear head: what several algorithms train and keep alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.batches import accuracy
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import stream_seed
from modelfoundry.core.evaluation import Run, base_accuracy, pose
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks, masked_forward
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.searching import FoundModule, S_co, SearchTask
from modelfoundry.values.architectures import InputSpec


@dataclass(frozen=True, eq=False, slots=True)
class PosedTask(Generic[S_co]):
    """A search for one problem, whose images have the numbers of the module's outputs as labels."""

    network: nn.Module
    """The trained classifier; untouched."""
    outputs: int
    """Number of outputs of the module."""
    train: ImageSet
    """Images to learn from."""
    validation: ImageSet
    """Images to choose the epoch on, never test data."""
    base_accuracy: float
    """Accuracy of the untouched network on the same validation images, in [0, 1]."""
    input_spec: InputSpec
    settings: S_co
    seed: int
    """Of initialisation, order, augmentation and dropout; any integer."""
    device: torch.device
    monitor: Monitor
    resume: Path | None = None

    @property
    def samples(self) -> tuple[int, int]:
        """Number of training and of validation images."""
        return len(self.train), len(self.validation)


def posed_task(task: SearchTask[S_co]) -> PosedTask[S_co]:
    """Poses the task's one problem, and measures the untouched network on it.

    Raises:
        DatasetMismatch: a label has no training or no validation image.
    """
    (problem,) = task.problems
    train, validation = (pose(part, problem, task.labels) for part in (task.train, task.validation))
    run = Run(task.input_spec, task.device, monitor=task.monitor)
    measured = base_accuracy(task.network.to(task.device), validation, problem, task.labels, run)
    return PosedTask(
        network=task.network,
        outputs=len(problem.outputs),
        train=train,
        validation=validation,
        base_accuracy=measured,
        input_spec=task.input_spec,
        settings=task.settings,
        seed=task.seed,
        device=task.device,
        monitor=task.monitor,
        resume=task.resume,
    )


def new_head(trunk: nn.Module, outputs: int, input_spec: InputSpec, *, seed: int, device: torch.device) -> nn.Linear:
    """A head of one layer behind the trunk's logits, drawn from the seed alone. Puts the trunk into eval mode."""
    torch.manual_seed(stream_seed(seed, "head"))
    with torch.no_grad():
        labels = int(trunk.eval()(torch.zeros(1, *input_spec.shape, device=device)).shape[1])
    return nn.Linear(labels, outputs).to(device)


def posed_accuracy(task: PosedTask[S_co], trunk: nn.Module, state: Mapping[str, Tensor], head: nn.Linear) -> float:
    """Accuracy of trunk, masked parameters and head on the task's validation images, in [0, 1].

    Raises:
        Cancelled: the monitor says so.
    """
    trunk.eval()
    return accuracy(
        lambda images: head(functional.relu(masked_forward(trunk, state, images))),
        task.validation,
        task.input_spec,
        device=task.device,
        monitor=task.monitor,
    )


def found_tensors(packed: bytes, head: nn.Linear) -> dict[str, Tensor]:
    """Masks (as `WeightMasks.packed` writes them) and head, copied, on the CPU: what `found_module` reads."""
    return {
        "masks": torch.from_numpy(np.frombuffer(packed, dtype=np.uint8).copy()),
        "head.weight": head.weight.detach().cpu().clone(),
        "head.bias": head.bias.detach().cpu().clone(),
    }


def found_module(found: Mapping[str, Tensor], layout: Sequence[tuple[str, Sequence[int]]]) -> FoundModule:
    """The module of what `found_tensors` gave; the layout is that of the masks."""
    masks = WeightMasks.from_packed(found["masks"].numpy().tobytes(), layout)
    return FoundModule(masks, LinearHead.of(found["head.weight"], found["head.bias"]))
