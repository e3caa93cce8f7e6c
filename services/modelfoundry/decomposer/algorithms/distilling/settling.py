"""Settings that data and model decide, where nobody does: how long to learn, and how far images may be varied."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.batches import Augmentation
from modelfoundry.core.datasets import ImageSet, crop, draw_crops
from modelfoundry.core.devices import stream_seed
from modelfoundry.core.inference import predict_labels
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.settings import DecidedAugmentation
from modelfoundry.values.architectures import InputSpec

_TIMES: Final = 13
"""That an image of the problem's labels is drawn, where the bounds below do not say otherwise."""
_LEAST_STEPS: Final = 400
"""With little data: masks need so many to settle, whatever they learn from."""
_MOST_STEPS: Final = 1690
"""For one label, and for every two labels of a group: more gained nothing that could be seen."""
_SAMPLE: Final = 256
_AT_ONCE: Final = 128
_BORNE: Final = 0.1
"""Share of the images that a model may know no more when they are varied."""


def settled_steps(steps: int, batch_size: int, train_labels: Tensor, target: Target) -> int:
    """The number of steps that a search makes.

    Args:
        steps: That were asked for; 0: as the data ask.
        batch_size: Views in a step.
        train_labels: Label numbers of the training images, int64 [n].
        target: The problem.
    """
    if steps:
        return steps
    own = int(torch.isin(train_labels, torch.tensor(target.columns)).count_nonzero())
    share = batch_size // 2 if target.rest else batch_size
    most = _MOST_STEPS * max(2, len(target.columns)) // 2
    return min(most, max(_LEAST_STEPS, _TIMES * own // share))


def settled_augmentation(
    wanted: DecidedAugmentation,
    network: nn.Module,
    images: ImageSet,
    input_spec: InputSpec,
    *,
    seed: int,
    device: torch.device,
    monitor: Monitor,
) -> Augmentation:
    """How training images are varied.

    A view that the model does not know is a bad question: mirrored digits are no digits. So `auto` shows the model some
    of its training images in every way, and takes the richest under which it still knows nearly all that it knew.

    Args:
        wanted: The setting.
        network: The model.
        images: Its training images.
        input_spec: How they are normalised.
        seed: Any integer: of the images that are shown.
        device: Where to compute.
        monitor: Asked between batches whether to go on.

    Raises:
        Cancelled: the monitor says so.
    """
    if wanted != "auto":
        return wanted
    generator = torch.Generator().manual_seed(stream_seed(seed, "trying augmentations"))
    chosen = torch.randperm(len(images), generator=generator)[:_SAMPLE]
    pixels, right = images.images[chosen], images.labels[chosen]
    crops = draw_crops(len(chosen), pixels.shape[2], pixels.shape[3], generator, flip=True)
    upright = replace(crops, mirrored=torch.zeros_like(crops.mirrored))

    def known(shown: Tensor) -> float:
        answers = predict_labels(network, shown, input_spec, batch_size=_AT_ONCE, device=device, monitor=monitor)
        return float((answers == right).float().mean())

    least = known(pixels) - _BORNE
    if known(crop(pixels, upright)) < least:
        return "none"
    return "crop_flip" if known(crop(pixels, crops)) >= least else "crop"
