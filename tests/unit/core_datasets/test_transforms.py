from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from modelfoundry.core.datasets import crop, draw_crops, normalise, random_crop
from modelfoundry.values.architectures import InputSpec


def test_normalising_is_scale_then_mean_then_deviation() -> None:
    spec = InputSpec(2, 1, 1, mean=(0.5, 0.25), std=(0.5, 2.0))
    images = torch.tensor([[[[255]], [[51]]]], dtype=torch.uint8)
    assert normalise(images, spec).flatten().tolist() == pytest.approx([1.0, (0.2 - 0.25) / 2])
    assert images.flatten().tolist() == [255, 51]


def test_every_crop_is_a_window_of_the_padded_image_and_some_are_mirrored() -> None:
    images = torch.randint(0, 256, (64, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    varied = random_crop(images, torch.Generator().manual_seed(2), flip=True)
    padded = functional.pad(images, (3, 3, 2, 2))
    seen = set()
    for image, result in zip(padded, varied, strict=True):
        windows = {
            (mirrored, y, x): window.flip(-1) if mirrored else window
            for y in range(5)
            for x in range(7)
            for window in (image[:, y : y + 16, x : x + 24],)
            for mirrored in (False, True)
        }
        matches = [key for key, window in windows.items() if torch.equal(window, result)]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {mirrored for mirrored, _, _ in seen} == {False, True}
    assert {y for _, y, _ in seen} == set(range(5))
    assert {x for _, _, x in seen} == set(range(7))


def test_the_generator_decides_everything() -> None:
    images = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)
    first, second, other = (random_crop(images, torch.Generator().manual_seed(seed), flip=True) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_without_flips_nothing_is_mirrored() -> None:
    ramp = torch.arange(8, dtype=torch.uint8).add(1).expand(50, 1, 8, 8)
    varied = random_crop(ramp, torch.Generator().manual_seed(0), flip=False)
    inner = varied[:, :, 2:6, 2:6].to(torch.int64)
    assert bool((inner.diff(dim=-1) == 1).all())


def test_images_too_small_to_pad_stay_as_they_are() -> None:
    images = torch.randint(0, 256, (3, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(random_crop(images, torch.Generator(), flip=False), images)


def test_crops_that_were_drawn_once_give_the_same_pixels_one_by_one_and_in_any_order() -> None:
    images = torch.randint(0, 256, (20, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    crops = draw_crops(20, 16, 24, torch.Generator().manual_seed(2), flip=True)
    whole = random_crop(images, torch.Generator().manual_seed(2), flip=True)
    chosen = torch.tensor([7, 3, 3, 19])
    assert len(crops) == 20
    assert torch.equal(crop(images, crops), whole)
    assert torch.equal(crop(images[chosen], crops[chosen]), whole[chosen])
