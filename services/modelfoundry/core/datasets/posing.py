"""Target problems posed on a split: which images, and which label each one has (SeaM, Qi et al., ICSE 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from modelfoundry.core.datasets.splits import ImageSet
from modelfoundry.errors import DatasetMismatch

_SEED: Final = 0
"""Of NumPy's legacy RandomState, whose stream never changes."""


def against_rest_indices(labels: torch.Tensor, label_indices: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples of a problem "these labels against the rest".

    All samples of the labels; from the others, shuffled with a fixed seed as the paper does for one label, equally many
    (all of them where there are fewer). Models, modules and baselines thereby answer the same images, and so does
    whoever measures again.

    Args:
        labels: int64 label numbers, [n].
        label_indices: Numbers of the labels, one or more.

    Returns:
        Indices of the positives, ascending, and of the negatives, in shuffled order; int64.

    Raises:
        DatasetMismatch: there is no sample of the labels, or no other one.
    """
    belongs = torch.isin(labels, torch.tensor(list(label_indices)))
    positives = torch.nonzero(belongs).flatten()
    others = torch.nonzero(~belongs).flatten()
    if not len(positives) or not len(others):
        numbers = f"number {', '.join(map(str, label_indices))}"
        what = f"label {numbers}" if not len(positives) else f"labels other than {numbers}"
        raise DatasetMismatch(
            f"no image of {what}: a problem against the rest cannot be posed",
            hint="use a split with images of several labels",
        )
    shuffled = np.random.RandomState(_SEED).permutation(len(others))[: len(positives)]
    return positives, others[torch.from_numpy(shuffled)]


def pose_binary(image_set: ImageSet, label_index: int) -> ImageSet:
    """Balanced images of "this label against the rest": first all of the label (now 0), then as many others (now 1).

    Raises:
        DatasetMismatch: there is no image of the label, or no other one.
    """
    positives, negatives = against_rest_indices(image_set.labels, (label_index,))
    labels = torch.cat([torch.zeros_like(positives), torch.ones_like(negatives)])
    return ImageSet(image_set.images[torch.cat([positives, negatives])], labels)


def pose_open_set(image_set: ImageSet, label_indices: Sequence[int]) -> ImageSet:
    """Images of "which of these labels, or none": first all of the labels, then as many others.

    A label becomes its position in `label_indices`; the others get the number behind the last.

    Raises:
        DatasetMismatch: one of the labels has no image, or there is no other one.
    """
    posed = _positions(image_set.labels, label_indices)
    positives, negatives = against_rest_indices(image_set.labels, label_indices)
    others = torch.full_like(negatives, len(label_indices))
    return ImageSet(image_set.images[torch.cat([positives, negatives])], torch.cat([posed[positives], others]))


def pose_multi_class(image_set: ImageSet, label_indices: Sequence[int]) -> ImageSet:
    """Images of the given labels in their old order; a label becomes its position in `label_indices`.

    Raises:
        DatasetMismatch: one of the labels has no image.
    """
    posed = _positions(image_set.labels, label_indices)
    members = torch.nonzero(posed >= 0).flatten()
    return ImageSet(image_set.images[members], posed[members])


def _positions(labels: torch.Tensor, label_indices: Sequence[int]) -> torch.Tensor:
    """The place in `label_indices` of every label, -1 for others; each of them must be there."""
    posed = torch.full_like(labels, -1)
    for position, index in enumerate(label_indices):
        posed[labels == index] = position
    counts = torch.bincount(posed[posed >= 0], minlength=len(label_indices))
    absent = [index for index, count in zip(label_indices, counts.tolist(), strict=True) if not count]
    if absent:
        raise DatasetMismatch(
            f"no image of label number {', '.join(map(str, absent))}", hint="use a split with images of every label"
        )
    return posed
