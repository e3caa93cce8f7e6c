"""Masks over the weights of any network, by parameter name."""

from modelfoundry.core.masking.masks import Head, WeightMasks

__all__ = ["Head", "WeightMasks"]
