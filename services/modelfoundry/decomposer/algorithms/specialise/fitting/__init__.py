"""Closed form: layers behind a cut get the weights that answer best in place of those they lost inputs from."""

from modelfoundry.decomposer.algorithms.specialise.fitting.layers import RIDGE, ridge_weights
from modelfoundry.decomposer.algorithms.specialise.fitting.refit import refit

__all__ = ["RIDGE", "refit", "ridge_weights"]
