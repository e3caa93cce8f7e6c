"""Where a module says yes: a logistic scale and bias of its log-odds, fitted on validation images.

A classifier decides among all of its labels, so its log-odds are made for a label that is rare. A problem against the
rest is posed with as many images of the rest as of the labels, and there 0 is too high a threshold.
"""

from __future__ import annotations

from torch import Tensor

from modelfoundry.core.composing.calibration import UNCALIBRATED, Calibration, fit_calibration
from modelfoundry.decomposer.algorithms.distilling.least import LEAST_VALIDATION
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.errors import DatasetMismatch


def fit_threshold(outputs: Tensor, answers: Tensor, target: Target) -> Calibration:
    """Scale and bias for the outputs of a problem's labels, so that argmax is right about the rest too.

    Args:
        outputs: Of the target's head on validation images, float32 [n, outputs].
        answers: Number of the right output of each, int64 [n].
        target: The problem. Without a rest there is no threshold, and nothing is changed.

    Raises:
        DatasetMismatch: too few images of the labels or of the rest.
    """
    if not target.rest:
        return UNCALIBRATED
    positive = answers < len(target.columns)
    check_enough(positive)
    return fit_calibration(outputs[:, :-1].amax(dim=1), positive)


def check_enough(positive: Tensor) -> None:
    """Checks that a threshold can be fitted.

    Args:
        positive: Whether a validation image is of a label of the problem, bool [n].

    Raises:
        DatasetMismatch: too few images of the labels or of the rest.
    """
    count = int(positive.count_nonzero())
    if min(count, len(positive) - count) < LEAST_VALIDATION:
        raise DatasetMismatch(
            f"validation data has {count} images of the labels and {len(positive) - count} of the rest: too few to fit "
            f"a threshold, which takes {LEAST_VALIDATION} of each",
            field="validation.fraction",
            hint="cut a larger share for validation, name a split for calibration, or use a data set with more images "
            "of the labels",
        )
