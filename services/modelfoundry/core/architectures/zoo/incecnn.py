"""InceCNN, with blocks of parallel convolutions (GradSplitter, Qi et al.)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.architectures.zoo.blocks import ConvBlock


class _Parallel(nn.Module):
    """Convolutions of 1, 3 and 5 pixels side by side, concatenated."""

    def __init__(self, channels_in: int, width1: int, width3: int, width5: int) -> None:
        super().__init__()
        self.conv1 = ConvBlock(channels_in, width1, 1)
        self.conv3 = ConvBlock(channels_in, width3, 3)
        self.conv5 = ConvBlock(channels_in, width5, 5)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.conv1(images), self.conv3(images), self.conv5(images)], dim=1)


class InceCnn(nn.Module):
    """12 convolutions and a linear layer; 12,637,898 parameters at 10 labels and 3 channels."""

    def __init__(self, label_count: int, input_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvBlock(input_channels, 64), ConvBlock(64, 128), ConvBlock(128, 256), nn.MaxPool2d(2)
        )
        self.block_a = _Parallel(256, 256, 256, 64)
        self.block_b = _Parallel(576, 512, 512, 64)
        self.block_c = _Parallel(1088, 512, 512, 64)
        self.dropout = nn.Dropout(0.4)
        self.linear = nn.Linear(1088, label_count)

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels, h, w] with 8 pixels or more to logits [n, label_count]."""
        features = functional.max_pool2d(self.block_a(self.stem(images)), 2)
        features = functional.max_pool2d(self.block_b(features), 2)
        features = self.block_c(features).mean(dim=(2, 3))
        logits: Tensor = self.linear(self.dropout(features))
        return logits
