"""SimCNN, a plain chain of convolutions (GradSplitter, Qi et al.)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.architectures.zoo.blocks import ConvBlock

_WIDTHS: Final = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_POOLED_AFTER: Final = frozenset({1, 3, 6, 9, 12})


class SimCnn(nn.Module):
    """13 convolutions and 3 linear layers for 32x32 images; 33,646,666 parameters at 10 labels and 3 channels."""

    def __init__(self, label_count: int, input_channels: int) -> None:
        super().__init__()
        inputs = (input_channels, *_WIDTHS[:-1])
        self.blocks = nn.ModuleList(ConvBlock(before, width) for before, width in zip(inputs, _WIDTHS, strict=True))
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(512, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, label_count),
        )

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels, 32, 32] to logits [n, label_count]."""
        features = images
        for place, block in enumerate(self.blocks):
            features = block(features)
            if place in _POOLED_AFTER:
                features = functional.max_pool2d(features, 2)
        logits: Tensor = self.classifier(torch.flatten(features, 1))
        return logits
