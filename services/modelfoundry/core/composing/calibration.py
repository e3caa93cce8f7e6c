"""Scores that can be compared across members: Platt scaling of their log-odds (Platt, 1999; Lin et al., 2007)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import Tensor

from modelfoundry.values.doubts import LEAST_SCALE, MOST_SCALE

_HALVINGS: Final = 80


@dataclass(frozen=True, slots=True)
class Calibration:
    """`scale * log-odds + bias`; the scale is above 0, so that the order of images stays.

    Raises:
        ValueError: a value is not finite, or the scale is not above 0.
    """

    scale: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.bias) and self.scale > 0):
            raise ValueError(f"a calibration needs finite values and a scale above 0, got {self.scale}, {self.bias}")

    def __call__(self, log_odds: Tensor) -> Tensor:
        """Calibrated log-odds, of the same shape."""
        return log_odds * self.scale + self.bias


UNCALIBRATED: Final = Calibration()


def fit_calibration(log_odds: Tensor, positive: Tensor) -> Calibration:
    """Fits scale and bias so that the sigmoid is the probability of the label, by logistic regression.

    Targets are smoothed as Platt does, (n+ + 1) / (n+ + 2) and 1 / (n- + 2), which keeps the fit finite where the
    log-odds divide the label from the rest without error. Where the log-odds fall with the label, or differ by so
    little that they would have to be multiplied beyond all measure, there is no fit: the scale is held at
    `LEAST_SCALE` or `MOST_SCALE`, the bias is fitted, and `values.doubts.calibration_doubts` says so.

    Args:
        log_odds: Of the label on validation images, [n].
        positive: Whether it is the label, bool [n].

    Returns:
        The same values for the same data.
    """
    from sklearn import linear_model  # takes a second, and few jobs calibrate

    values = log_odds.double().cpu().numpy()
    truth = positive.cpu().numpy()
    count = int(truth.sum())
    target = np.where(truth, (count + 1) / (count + 2), 1 / (len(truth) - count + 2))
    spread = float(values.std()) or 1.0  # the solver stops early on values far from 1
    # scikit-learn takes no targets between 0 and 1: every image stands there twice, as the label with the weight of its
    # target and as the rest with what is left of 1, which is the same likelihood. C=inf: without regularisation.
    untyped: Any = linear_model
    regression = untyped.LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    regression.fit(
        np.concatenate([values, values])[:, None] / spread,
        np.repeat([1, 0], len(values)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    scale, bias = float(regression.coef_[0, 0]) / spread, float(regression.intercept_[0])
    if LEAST_SCALE <= scale <= MOST_SCALE:
        return Calibration(scale, bias)
    held = LEAST_SCALE if scale < LEAST_SCALE else MOST_SCALE
    return Calibration(held, _bias_at(held, values, float(target.mean())))


def _bias_at(scale: float, values: npt.NDArray[np.float64], share: float) -> float:
    """The bias with which the mean of the sigmoids is the mean of the targets, as it is in every fit: by bisection."""
    ends = [math.log(share / (1 - share)) - scale * float(end) for end in (values.max(), values.min())]
    lower, upper = min(ends), max(ends)
    for _ in range(_HALVINGS):
        middle = (lower + upper) / 2
        mean = float((1 / (1 + np.exp(-np.clip(scale * values + middle, -500, 500)))).mean())
        lower, upper = (middle, upper) if mean < share else (lower, middle)
    return (lower + upper) / 2
