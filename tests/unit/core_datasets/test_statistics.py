from __future__ import annotations

import torch

from modelfoundry.core.datasets import channel_statistics


def test_mean_and_deviation_are_those_of_the_scaled_pixels() -> None:
    images = torch.randint(0, 256, (5000, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, 1] //= 4
    mean, deviation = channel_statistics(images)
    scaled = images.double() / 255
    torch.testing.assert_close(torch.tensor(mean).double(), scaled.mean(dim=(0, 2, 3)), atol=6e-5, rtol=0)
    expected = scaled.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(torch.tensor(deviation).double(), expected, atol=6e-5, rtol=0)


def test_a_channel_of_one_colour_is_not_divided_by_nothing() -> None:
    _, deviation = channel_statistics(torch.full((2, 1, 3, 3), 7, dtype=torch.uint8))
    assert deviation == (0.001,)
