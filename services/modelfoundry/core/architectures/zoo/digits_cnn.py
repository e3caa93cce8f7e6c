"""A small network for small images: three convolutions and a linear layer."""

from __future__ import annotations

from torch import Tensor, nn


class DigitsCnn(nn.Module):
    """56,394 weights at 10 labels and 1 channel; made for the 8x8 digits of scikit-learn."""

    def __init__(self, label_count: int, input_channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(input_channels, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.linear = nn.Linear(64, label_count)

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels, h, w] with 2 pixels or more to logits [n, label_count]."""
        logits: Tensor = self.linear(self.features(images).mean(dim=(2, 3)))
        return logits
