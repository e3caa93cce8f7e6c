"""Residual networks for 32x32 images (He et al., 2016, section 4.2), named as in the public CIFAR-10 weights."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

Shortcut = Literal["A", "B"]


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 and shortcut == "A":
            self.shortcut = _PaddedShortcut(channels_out - channels_in)
        elif stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.bn1(self.conv1(images)))
        return functional.relu(self.bn2(self.conv2(features)) + self.shortcut(images))


class _PaddedShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the new channels, half before and half behind the old ones."""

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.padding = new_channels // 2

    def forward(self, images: Tensor) -> Tensor:
        return functional.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))


class CifarResNet(nn.Module):
    """Three stages of 16, 32 and 64 channels, then the mean over all pixels and a linear layer."""

    def __init__(self, label_count: int, input_channels: int, blocks_per_stage: int, shortcut: Shortcut) -> None:
        super().__init__()
        if shortcut not in get_args(Shortcut):
            raise ValueError(f"shortcut must be 'A' (padding) or 'B' (convolution), not {shortcut!r}")
        self.conv1 = nn.Conv2d(input_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1, blocks_per_stage, shortcut)
        self.layer2 = _stage(16, 32, 2, blocks_per_stage, shortcut)
        self.layer3 = _stage(32, 64, 2, blocks_per_stage, shortcut)
        self.linear = nn.Linear(64, label_count)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels, h, w] to logits [n, label_count]."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.linear(torch.mean(features, dim=(2, 3)))
        return logits


def resnet20(label_count: int, input_channels: int, shortcut: Shortcut = "A") -> CifarResNet:
    """ResNet20. Shortcut `A` is the original paper's and the public weights'; `B` is the one that SeaM was tried on."""
    return CifarResNet(label_count, input_channels, 3, shortcut)


def resnet56(label_count: int, input_channels: int, shortcut: Shortcut = "A") -> CifarResNet:
    """ResNet56. Shortcuts as in `resnet20`."""
    return CifarResNet(label_count, input_channels, 9, shortcut)


def _stage(channels_in: int, channels_out: int, stride: int, blocks: int, shortcut: Shortcut) -> nn.Sequential:
    first = _Block(channels_in, channels_out, stride, shortcut)
    return nn.Sequential(first, *(_Block(channels_out, channels_out, 1, shortcut) for _ in range(blocks - 1)))
