"""A target problem posed on a split: which images it is about, and which answer is right for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.core.datasets import ImageSet, against_rest_indices, pose_binary, pose_multi_class, pose_open_set
from modelfoundry.errors import DatasetMismatch
from modelfoundry.names import shortened
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem, resolve


@dataclass(frozen=True, eq=False, slots=True)
class PosedSplit:
    """A whole split as a problem sees it, for figures over all samples and over those that are posed."""

    outputs: tuple[str, ...]
    """What may be answered: the problem's labels, then the rest where there is one."""
    rest: bool
    """Whether the last output stands for all other labels."""
    columns: tuple[int, ...]
    """Numbers of the problem's labels among those of the model."""
    truth: Tensor
    """Right output number of every sample of the split, int64 [n]; -1 where no output is right."""
    chosen: Tensor
    """Samples that are posed, in the order of `pose`: int64 [m]."""

    @property
    def labels(self) -> int:
        """Number of labels of the problem."""
        return len(self.columns)


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
    indices = _present(image_set.labels, problem, labels)
    match problem:
        case BinaryProblem():
            return pose_binary(image_set, indices[0])
        case MultiClassProblem():
            return pose_multi_class(image_set, indices)
        case OpenSetProblem():
            return pose_open_set(image_set, indices)


def pose_split(label_numbers: Tensor, problem: Problem, labels: Sequence[str]) -> PosedSplit:
    """A target problem on all samples of a split. Those that are posed are the ones that `pose` gives.

    Args:
        label_numbers: Of the samples, as label numbers of the model: int64 [n].
        problem: What is to be told apart.
        labels: Labels of the model, by number.

    Raises:
        As `pose`.
    """
    indices = _present(label_numbers, problem, labels)
    rest = not isinstance(problem, MultiClassProblem)
    positions = torch.full((len(labels),), len(indices) if rest else -1)
    positions[list(indices)] = torch.arange(len(indices))
    truth = positions[label_numbers]
    chosen = torch.cat(against_rest_indices(label_numbers, indices)) if rest else torch.nonzero(truth >= 0).flatten()
    return PosedSplit(problem.outputs, rest, indices, truth, chosen)


def pose_labels(truth: Tensor, outputs: Sequence[str], columns: Sequence[int]) -> PosedSplit:
    """Samples of which each has one of these labels: nothing is chosen among them.

    Args:
        truth: Place of every sample's label among the outputs, int64 [n].
        outputs: The labels.
        columns: Their numbers among those of the model.
    """
    return PosedSplit(tuple(outputs), False, tuple(columns), truth, torch.arange(len(truth)))


def _present(label_numbers: Tensor, problem: Problem, labels: Sequence[str]) -> tuple[int, ...]:
    """Numbers of the problem's labels, each of which some sample has."""
    indices = resolve(problem, labels)
    counts = torch.bincount(label_numbers, minlength=len(labels)).tolist()
    absent = [label for label, index in zip(problem.labels, indices, strict=True) if not counts[index]]
    if absent:
        raise DatasetMismatch(
            f"there is no image of {', '.join(repr(shortened(label)) for label in absent[:5])}",
            field="dataset",
            hint="use a data set and split with images of every label of the problem",
        )
    return indices
