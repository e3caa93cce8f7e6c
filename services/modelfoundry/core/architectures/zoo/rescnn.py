"""ResCNN, a chain of convolutions with three shortcuts (GradSplitter, Qi et al.)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.architectures.zoo.blocks import ConvBlock

_WIDTHS: Final = (64, 128, 128, 128, 256, 512, 512, 512, 512, 512, 512, 512)
_POOLED_AFTER: Final = frozenset({1, 4, 5, 8, 9})
_SAVED_AFTER: Final = frozenset({1, 5, 9})
_ADDED_AFTER: Final = frozenset({3, 7, 11})


class ResCnn(nn.Module):
    """12 convolutions and a linear layer for 32x32 images; 16,018,698 parameters at 10 labels and 3 channels.

    ReLU comes before the addition of a shortcut; there is none after it.
    """

    def __init__(self, label_count: int, input_channels: int) -> None:
        super().__init__()
        inputs = (input_channels, *_WIDTHS[:-1])
        self.blocks = nn.ModuleList(ConvBlock(before, width) for before, width in zip(inputs, _WIDTHS, strict=True))
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(512, label_count)

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels, 32, 32] to logits [n, label_count]."""
        features = shortcut = images
        for place, block in enumerate(self.blocks):
            features = block(features)
            if place in _ADDED_AFTER:
                features = features + shortcut
            if place in _POOLED_AFTER:
                features = functional.max_pool2d(features, 2)
            if place in _SAVED_AFTER:
                shortcut = features
        logits: Tensor = self.linear(self.dropout(torch.flatten(features, 1)))
        return logits
