"""VGG16 with batch normalisation for 32x32 images, laid out as the public CIFAR weights that SeaM was tried on."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

_WIDTHS: Final = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Output channels of the convolutions; 0 is a pooling layer."""


class Vgg16Bn(nn.Module):
    """13 convolutions with bias, then linear layers 512-512-512-labels with dropout."""

    def __init__(self, label_count: int, input_channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_features(input_channels))
        self.classifier = nn.Sequential(
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, label_count),
        )

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels, 32, 32] to logits [n, label_count]."""
        logits: Tensor = self.classifier(torch.flatten(self.features(images), 1))
        return logits


def _features(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width in _WIDTHS:
        if not width:
            layers.append(nn.MaxPool2d(2))
            continue
        convolution = nn.Conv2d(channels, width, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # made with a bias
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return layers
