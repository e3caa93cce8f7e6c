"""Running networks over whole splits, and what a model says on images of a target problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.inference import predict_labels, predict_logits
from modelfoundry.core.metrics import classification
from modelfoundry.core.monitor import Monitor
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.figures import ClassificationMetrics
from modelfoundry.values.problems import BinaryProblem, Problem, resolve

_ON_CPU: Final = 64
"""Images in one pass: their activations stay in the cache, which makes a small network half as fast again."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a network is run over images."""

    input_spec: InputSpec
    device: torch.device
    batch_size: int = 256
    monitor: Monitor | None = None


def split_logits(network: nn.Module, images: Tensor, run: Run) -> Tensor:
    """Logits of all images of a split, float32 [n, outputs] on the CPU, as fast as exact float32 goes.

    Channels lie last in memory, and on a CPU passes are small. Neither changes a logit by more than rounding does.

    Args:
        network: Any network or module.
        images: uint8 [n, channels, height, width].
        run: How it is run.

    Raises:
        Cancelled: the monitor said so.
    """
    return predict_logits(
        network,
        images,
        run.input_spec,
        batch_size=min(run.batch_size, _ON_CPU) if run.device.type == "cpu" else run.batch_size,
        device=run.device,
        monitor=run.monitor,
        channels_last=True,
    )


def evaluate_model(network: nn.Module, image_set: ImageSet, labels: Sequence[str], run: Run) -> ClassificationMetrics:
    """Measures a model on all of its labels.

    Args:
        network: The model's network.
        image_set: Images with label numbers of the model (`align_labels`).
        labels: Labels of the model, by number.
        run: How it is run.
    """
    predicted = predict_labels(
        network, image_set.images, run.input_spec, batch_size=run.batch_size, device=run.device, monitor=run.monitor
    )
    return classification(predicted, image_set.labels, labels)


def base_accuracy(network: nn.Module, posed: ImageSet, problem: Problem, labels: Sequence[str], run: Run) -> float:
    """Share of images of a target problem that a base model answers right, predicting over all of its labels.

    Args:
        network: The base model's network.
        posed: Images of the problem (`pose`), one at least.
        problem: What is to be told apart.
        labels: Labels of the model, by number.
        run: How it is run.
    """
    logits = predict_logits(
        network, posed.images, run.input_spec, batch_size=run.batch_size, device=run.device, monitor=run.monitor
    )
    right = unrestricted_predictions(logits, problem, resolve(problem, labels)) == posed.labels
    return int(right.sum()) / len(right)


def unrestricted_predictions(logits: Tensor, problem: Problem, indices: Sequence[int]) -> Tensor:
    """What a model says on a target problem when all of its outputs compete.

    Args:
        logits: Of the model, [n, N].
        problem: What is to be told apart.
        indices: The problem's labels as label numbers of the model (`resolve`).

    Returns:
        Output numbers of the problem, int64 [n]. Several labels: their number stands for a prediction of none.
    """
    chosen = logits.argmax(dim=1)
    if isinstance(problem, BinaryProblem):
        return (chosen != indices[0]).to(torch.int64)
    positions = torch.full((logits.shape[1],), len(indices))
    positions[list(indices)] = torch.arange(len(indices))
    return positions[chosen]
