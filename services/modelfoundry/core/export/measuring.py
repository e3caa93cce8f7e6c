"""Files that do not compute what the network computes: how well they answer beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.finite import finite_outputs
from modelfoundry.errors import ExportMismatch
from modelfoundry.values.exports import ExportMeasurement

MOST_LOST: Final = 0.1
"""Accuracy on validation images from which on a file has failed, as a share of them."""
_BATCH: Final = 128

Program = Callable[[Tensor], Tensor]
"""float32 images in [0, 1] to logits."""


@dataclass(frozen=True, slots=True)
class ExportImages:
    """What files are calibrated and measured on."""

    calibration: Tensor
    """uint8 [n, channels, height, width], of the training split."""
    validation: ImageSet
    """Images that were not trained on; their label numbers are those of the outputs."""
    dataset: str
    """Where they come from."""
    split: str
    """That they were cut from."""


def measured_beside(program: Program, exact: Program, images: ExportImages, calibrated_on: int) -> ExportMeasurement:
    """Measures a file beside the float32 network on validation images.

    Args:
        program: The file.
        exact: The float32 network.
        images: What on.
        calibrated_on: Number of images.

    Raises:
        ExportMismatch: the file answers more than 10 points fewer of them correctly.
    """
    expected, answered = _answers(exact, images.validation.images), _answers(program, images.validation.images)
    true = images.validation.labels
    found = ExportMeasurement(
        dataset=images.dataset,
        split=images.split,
        sample_count=len(true),
        accuracy_fp32=_share(expected == true),
        accuracy=_share(answered == true),
        agreement=_share(answered == expected),
        calibration_samples=calibrated_on,
    )
    if found.accuracy_fp32 - found.accuracy > MOST_LOST:
        raise ExportMismatch(
            f"the file answers {found.accuracy:.2%} of {found.sample_count} validation images correctly, "
            f"in float32 it is {found.accuracy_fp32:.2%}",
            hint="keep weights in fp16, which hardly changes them, and compute in fp32",
            metadata={"accuracy": repr(found.accuracy), "accuracy_fp32": repr(found.accuracy_fp32)},
        )
    return found


def _answers(program: Program, images: Tensor) -> Tensor:
    batches: list[Tensor] = list(torch.split(images, _BATCH))
    found = (finite_outputs(program(batch.float() / 255), "the exported file") for batch in batches)
    return torch.cat([outputs.argmax(dim=1) for outputs in found])


def _share(right: Tensor) -> float:
    return float(right.double().mean())
