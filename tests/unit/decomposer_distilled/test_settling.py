"""What data and model decide where nobody does."""

from __future__ import annotations

import pytest
import torch
from distilling import GREY
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.settling import settled_augmentation, settled_steps
from modelfoundry.decomposer.algorithms.settings import DecidedAugmentation


def labels(each: int) -> Tensor:
    return torch.arange(10).repeat_interleave(each)


@pytest.mark.parametrize(
    ("asked", "images", "columns", "rest", "steps"),
    [
        (7, 4500, (3,), True, 7),
        (0, 4500, (3,), True, 1690),
        (0, 2000, (3,), True, 812),
        (0, 117, (3,), True, 400),
        (0, 2000, (3, 5), False, 812),
        (0, 4500, (3, 5, 7, 9), False, 3380),
        (0, 4500, (3, 5, 7, 9), True, 3380),
    ],
    ids=["asked", "much data", "less", "little", "two labels", "four", "four or none"],
)
def test_steps_follow_the_images_within_bounds(
    asked: int, images: int, columns: tuple[int, ...], rest: bool, steps: int
) -> None:
    assert settled_steps(asked, 64, labels(images), Target(10, columns, rest)) == steps


class Knowing(nn.Module):
    """Knows where the bright pixel is, as long as it stays where it is looked for."""

    def __init__(self, places: tuple[tuple[int, int], ...], reach: int, mirrored: bool) -> None:
        super().__init__()
        masks = torch.zeros(len(places), 8, 8)
        for label, (row, column) in enumerate(places):
            for own in (column, 7 - column) if mirrored else (column,):
                masks[label, row - reach : row + reach + 1, own - reach : own + reach + 1] = 1
        self.register_buffer("masks", masks)

    def forward(self, inputs: Tensor) -> Tensor:
        bright = (inputs - inputs.amin(dim=(1, 2, 3), keepdim=True))[:, 0]
        logits: Tensor = torch.einsum("nhw,lhw->nl", bright, self.masks)
        return logits


PLACES = ((2, 2), (5, 5))


def seen() -> ImageSet:
    answers = torch.arange(300) % 2
    pixels = torch.zeros(300, 1, 8, 8, dtype=torch.uint8)
    for number, answer in enumerate(answers.tolist()):
        pixels[number, 0, PLACES[answer][0], PLACES[answer][1]] = 255
    return ImageSet(pixels, answers)


def decided(network: nn.Module, wanted: DecidedAugmentation = "auto") -> str:
    return settled_augmentation(wanted, network, seen(), GREY, seed=0, device=torch.device("cpu"), monitor=Unwatched())


def test_images_are_varied_as_far_as_the_model_knows_them_then() -> None:
    assert decided(Knowing(PLACES, reach=1, mirrored=True)) == "crop_flip"
    assert decided(Knowing(PLACES, reach=1, mirrored=False)) == "crop"
    assert decided(Knowing(PLACES, reach=0, mirrored=True)) == "none"
    assert decided(Knowing(PLACES, reach=0, mirrored=False), "crop_flip") == "crop_flip"
