"""Measuring models and modules on labelled images: all labels, or one target problem with the baselines of its base.

A model on a target problem is measured in two ways (the first is that of SeaM, Qi et al., ICSE 2023):

    all outputs   the prediction is the largest of all N outputs. Binary: right when "is it the label?" is answered
                  right. Multi-class: a prediction outside of the problem's labels is an error, so this one is low.
                  Open-set: such a prediction means `rest`.
    restricted    the prediction is the largest of the outputs for the problem's labels: the fair baseline. For a binary
                  and an open-set problem the same as above, because `rest` is all other labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet, pose_binary, pose_multi_class, pose_open_set
from modelfoundry.core.inference import predict_labels, predict_logits
from modelfoundry.core.metrics import classification
from modelfoundry.core.modules import MaterialisedModule
from modelfoundry.core.monitor import Monitor
from modelfoundry.errors import DatasetMismatch
from modelfoundry.names import shortened
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.figures import ClassificationMetrics
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem, resolve


@dataclass(frozen=True, slots=True)
class Run:
    """How a network is run over images."""

    input_spec: InputSpec
    device: torch.device
    batch_size: int = 256
    monitor: Monitor | None = None


@dataclass(frozen=True, slots=True)
class Baselines:
    """A base model on a target problem."""

    all_outputs: ClassificationMetrics
    """Prediction over all labels of the model; called `original_unrestricted` in reports."""
    restricted: ClassificationMetrics
    """Prediction over the problem's labels only; called `original_restricted` in reports."""


def pose(image_set: ImageSet, problem: Problem, labels: Sequence[str]) -> ImageSet:
    """Images of a target problem, with the problem's output numbers as labels.

    Args:
        image_set: Images with label numbers of the model (`align_labels`).
        problem: What is to be told apart.
        labels: Labels of the model, by number.

    Raises:
        UnknownLabel, InvalidField: the problem does not fit the model.
        DatasetMismatch: a label has no image.
    """
    indices = resolve(problem, labels)
    counts = torch.bincount(image_set.labels, minlength=len(labels)).tolist()
    absent = [label for label, index in zip(problem.labels, indices, strict=True) if not counts[index]]
    if absent:
        raise DatasetMismatch(
            f"there is no image of {', '.join(repr(shortened(label)) for label in absent[:5])}",
            field="dataset",
            hint="use a data set and split with images of every label of the problem",
        )
    match problem:
        case BinaryProblem():
            return pose_binary(image_set, indices[0])
        case MultiClassProblem():
            return pose_multi_class(image_set, indices)
        case OpenSetProblem():
            return pose_open_set(image_set, indices)


def evaluate_model(network: nn.Module, image_set: ImageSet, labels: Sequence[str], run: Run) -> ClassificationMetrics:
    """Measures a model on all of its labels.

    Args:
        network: The model's network.
        image_set: Images with label numbers of the model (`align_labels`).
        labels: Labels of the model, by number.
        run: How it is run.
    """
    return classification(_predict(network, image_set, run), image_set.labels, labels)


def evaluate_module(module: MaterialisedModule, posed: ImageSet, run: Run) -> ClassificationMetrics:
    """Measures a module on its target problem, predicting with its own head.

    Args:
        module: The materialised module.
        posed: Images of the problem (`pose`).
        run: How it is run.
    """
    return classification(_predict(module, posed, run), posed.labels, module.outputs)


def baselines(network: nn.Module, posed: ImageSet, problem: Problem, labels: Sequence[str], run: Run) -> Baselines:
    """Measures a base model on a target problem in both ways, in one pass.

    Args:
        network: The base model's network.
        posed: Images of the problem (`pose`).
        problem: What is to be told apart.
        labels: Labels of the model, by number.
        run: How it is run.
    """
    logits = predict_logits(
        network, posed.images, run.input_spec, batch_size=run.batch_size, device=run.device, monitor=run.monitor
    )
    indices = resolve(problem, labels)
    multi_class = isinstance(problem, MultiClassProblem)
    unrestricted = unrestricted_predictions(logits, problem, indices)
    restricted = restricted_predictions(logits, problem, indices)
    return Baselines(
        all_outputs=classification(unrestricted, posed.labels, problem.outputs, outside_column=multi_class),
        restricted=classification(restricted, posed.labels, problem.outputs),
    )


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


def restricted_predictions(logits: Tensor, problem: Problem, indices: Sequence[int]) -> Tensor:
    """What a model says on a target problem when only the problem's outputs compete.

    Arguments are those of `unrestricted_predictions`. Returns output numbers of the problem, int64 [n].
    """
    if not isinstance(problem, MultiClassProblem):
        return unrestricted_predictions(logits, problem, indices)
    return logits[:, list(indices)].argmax(dim=1)


def _predict(network: nn.Module, image_set: ImageSet, run: Run) -> Tensor:
    return predict_labels(
        network, image_set.images, run.input_spec, batch_size=run.batch_size, device=run.device, monitor=run.monitor
    )
