"""Masks over the weights of any network, by parameter name."""

from modelfoundry.core.masking.applying import mask_training_mode, masked_forward, masked_state
from modelfoundry.core.masking.layers import MaskableParameters, maskable_layers
from modelfoundry.core.masking.masks import WeightMasks
from modelfoundry.core.masking.scores import MaskScores, straight_through

__all__ = [
    "MaskScores",
    "MaskableParameters",
    "WeightMasks",
    "mask_training_mode",
    "maskable_layers",
    "masked_forward",
    "masked_state",
    "straight_through",
]
