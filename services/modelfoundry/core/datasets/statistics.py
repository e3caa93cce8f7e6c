"""Mean and standard deviation of pixels, for normalising what a network is trained on."""

from __future__ import annotations

import torch

_CHUNK = 4096
_LEAST_DEVIATION = 1e-3
"""Channels that hardly vary are not blown up."""


def channel_statistics(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per channel, over pixels scaled to [0, 1].

    Args:
        images: uint8, [n, channels, height, width], n of 1 or more.

    Returns:
        Means and standard deviations, each rounded to four digits as they are usually written down, one per channel;
        deviations are at least 0.001.
    """
    channels = images.shape[1]
    total = torch.zeros(channels, dtype=torch.float64)
    squares = torch.zeros(channels, dtype=torch.float64)
    for chunk in torch.split(images, _CHUNK):
        # Sums of integers are exact, so that the result does not depend on the order of the addition.
        pixels = chunk.to(torch.int64)
        total += pixels.sum(dim=(0, 2, 3)).to(torch.float64)
        squares += (pixels * pixels).sum(dim=(0, 2, 3)).to(torch.float64)
    count = images.numel() // channels
    mean = total / count / 255
    deviation = (squares / count / 255**2 - mean**2).clamp(min=0).sqrt().clamp(min=_LEAST_DEVIATION)
    return (
        tuple(round(value, 4) for value in mean.tolist()),
        tuple(round(value, 4) for value in deviation.tolist()),
    )
