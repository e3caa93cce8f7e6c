"""What is said before the work: too few images, or a base that has nothing to teach."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from modelfoundry.decomposer.algorithms.distilling.least import LEAST_TRAINING
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.errors import DatasetMismatch, UnsupportedModel
from modelfoundry.names import shortened


def check_images(train_labels: Tensor, target: Target, names: Sequence[str]) -> None:
    """Checks that there are images to learn from.

    Args:
        train_labels: Label numbers of the training images, int64 [n].
        target: The problem.
        names: Labels of the base, by number.

    Raises:
        DatasetMismatch: a label of the problem has fewer than 20 training images, or there are none of other labels.
    """
    counts = torch.bincount(train_labels, minlength=len(names)).tolist()
    for column in target.columns:
        if counts[column] < LEAST_TRAINING:
            raise DatasetMismatch(
                f"there are {counts[column]} training images of {shortened(names[column])!r}: a module is distilled "
                f"from {LEAST_TRAINING} or more of every label",
                field="dataset",
                hint="use a data set with more images of the label, or cut a smaller share for validation",
            )
    if target.rest and sum(counts) == sum(counts[column] for column in target.columns):
        raise DatasetMismatch(
            "all training images are of the labels asked for: there is no rest to tell them from",
            field="dataset",
            hint="use a data set with images of other labels of the model too",
        )


def check_teacher(outputs: Tensor, answers: Tensor, names: Sequence[str]) -> None:
    """Checks that the base knows every label of the problem better than a coin does.

    At chance the area under the ROC curve is 1/2, give or take what so few images give or take (Mann and Whitney,
    1947); a base within two of these deviations cannot be told from a coin.

    Args:
        outputs: Of the target's head behind the base, on validation images, float32 [n, outputs].
        answers: Number of the right output of each, int64 [n].
        names: Labels of the problem, in order.

    Raises:
        UnsupportedModel: a label is guessed.
    """
    for place, name in enumerate(names):
        others = torch.cat([outputs[:, :place], outputs[:, place + 1 :]], dim=1)
        odds, positive = outputs[:, place] - torch.logsumexp(others, dim=1), answers == place
        yes, no = int(positive.count_nonzero()), int((~positive).count_nonzero())
        area = ranking_area(odds[positive], odds[~positive])
        if area <= 0.5 + 2 * math.sqrt((yes + no + 1) / (12 * yes * no)):
            raise UnsupportedModel(
                f"the model guesses {shortened(name)!r}: it ranks {area:.0%} of pairs of validation images rightly, a "
                "coin half of them, so that there is nothing to distil",
                field="model",
                hint="train the model further, or use data that it was trained on",
            )


def ranking_area(positive: Tensor, negative: Tensor) -> float:
    """Area under the ROC curve: the share of pairs in which the positive has the higher score, equal ones half.

    Args:
        positive: Scores, float32 [m], m 1 or more.
        negative: Scores, float32 [n], n 1 or more.
    """
    ordered = negative.sort().values
    below = torch.searchsorted(ordered, positive) + torch.searchsorted(ordered, positive, right=True)
    return float(below.double().mean()) / (2 * len(negative))
