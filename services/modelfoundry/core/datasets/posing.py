"""Target problems posed on a split: which images, and which label each one has (SeaM, Qi et al., ICSE 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from modelfoundry.core.datasets.splits import ImageSet
from modelfoundry.errors import DatasetMismatch


def binary_indices(labels: torch.Tensor, label_index: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples of the binary problem "this label against the rest".

    All samples of the label; from the others, shuffled with a fixed seed as the paper does, equally many (all of them
    where there are fewer).

    Args:
        labels: int64 label numbers, [n].
        label_index: Number of the label.
        seed: Seed of the shuffle (NumPy's legacy RandomState, whose stream never changes).

    Returns:
        Indices of the positives, ascending, and of the negatives, in shuffled order; int64.

    Raises:
        DatasetMismatch: there is no sample of the label, or no other one.
    """
    positives = torch.nonzero(labels == label_index).flatten()
    others = torch.nonzero(labels != label_index).flatten()
    if not len(positives) or not len(others):
        what = f"label number {label_index}" if not len(positives) else f"labels other than number {label_index}"
        raise DatasetMismatch(
            f"no image of {what}: a binary problem cannot be posed", hint="use a split with images of several labels"
        )
    shuffled = np.random.RandomState(seed).permutation(len(others))[: len(positives)]
    return positives, others[torch.from_numpy(shuffled)]


def pose_binary(image_set: ImageSet, label_index: int, seed: int = 0) -> ImageSet:
    """Balanced images of "this label against the rest": first all of the label (now 0), then as many others (now 1).

    Raises:
        DatasetMismatch: there is no image of the label, or no other one.
    """
    positives, negatives = binary_indices(image_set.labels, label_index, seed)
    labels = torch.cat([torch.zeros_like(positives), torch.ones_like(negatives)])
    return ImageSet(image_set.images[torch.cat([positives, negatives])], labels)


def pose_multi_class(image_set: ImageSet, label_indices: Sequence[int]) -> ImageSet:
    """Images of the given labels in their old order; a label becomes its position in `label_indices`.

    Raises:
        DatasetMismatch: one of the labels has no image.
    """
    posed = torch.full_like(image_set.labels, -1)
    for position, index in enumerate(label_indices):
        posed[image_set.labels == index] = position
    members = torch.nonzero(posed >= 0).flatten()
    counts = torch.bincount(posed[members], minlength=len(label_indices))
    absent = [index for index, count in zip(label_indices, counts.tolist(), strict=True) if not count]
    if absent:
        raise DatasetMismatch(
            f"no image of label number {', '.join(map(str, absent))}", hint="use a split with images of every label"
        )
    return ImageSet(image_set.images[members], posed[members])
