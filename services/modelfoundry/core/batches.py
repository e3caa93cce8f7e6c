"""Batches for training and accuracy over a whole split: shared by everything that learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

import torch
from torch import Tensor

from modelfoundry.core.datasets import ImageSet, normalise, random_crop
from modelfoundry.core.devices import stream_seed
from modelfoundry.core.finite import finite_outputs
from modelfoundry.core.monitor import Monitor
from modelfoundry.values.architectures import InputSpec

Augmentation = Literal["none", "crop", "crop_flip"]
"""Not at all; random crops after padding; the same and horizontal flips."""

_PIXELS_AT_ONCE: Final = 2**21
"""Bounds the memory of activations, which grows with the area of the images."""
_IMAGES_AT_ONCE: Final = 512


def training_batches(
    image_set: ImageSet,
    input_spec: InputSpec,
    *,
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """One shuffled pass over a split.

    Order and augmentation depend on seed and epoch alone, so that an epoch can be repeated without the ones before.

    Yields:
        Normalised images float32 [n, channels, height, width] and labels int64 [n] on the device, n up to batch_size.
    """
    varying = torch.Generator().manual_seed(stream_seed(seed, f"augmentation of epoch {epoch}"))
    for indices in shuffled(len(image_set), batch_size, seed=seed, epoch=epoch):
        images = image_set.images[indices]
        if augmentation != "none":
            images = random_crop(images, varying, flip=augmentation == "crop_flip")
        yield to_input(images, input_spec, device), image_set.labels[indices].to(device)


def shuffled(count: int, batch_size: int, *, seed: int, epoch: int) -> tuple[Tensor, ...]:
    """The numbers from 0 to `count` - 1 in an order of the epoch's own: int64 [n] each, n up to batch_size."""
    shuffling = torch.Generator().manual_seed(stream_seed(seed, f"order of epoch {epoch}"))
    return torch.split(torch.randperm(count, generator=shuffling), batch_size)


def to_input(images: Tensor, input_spec: InputSpec, device: torch.device) -> Tensor:
    """uint8 images [n, c, h, w] as a network's normalised float32 input on the device, channels last in memory."""
    return normalise(images.to(device), input_spec).contiguous(memory_format=torch.channels_last)


def accuracy(
    predict: Callable[[Tensor], Tensor],
    image_set: ImageSet,
    input_spec: InputSpec,
    *,
    device: torch.device,
    monitor: Monitor,
) -> float:
    """Share of images whose greatest logit is that of their label.

    Args:
        predict: Normalised images to logits [n, outputs].
        image_set: At least one image; labels are indices of outputs.
        input_spec: How to normalise.
        device: Where to compute.
        monitor: Asked between batches whether to go on.

    Raises:
        NonFiniteOutputs: a logit is NaN or infinite.
        Cancelled: the monitor says so.
    """
    at_once = max(1, min(_IMAGES_AT_ONCE, _PIXELS_AT_ONCE // max(1, image_set.images[0].numel())))
    correct = 0
    with torch.no_grad():
        for start in range(0, len(image_set), at_once):
            monitor.check_cancelled()
            images = to_input(image_set.images[start : start + at_once], input_spec, device)
            labels = image_set.labels[start : start + at_once].to(device)
            correct += int((finite_outputs(predict(images)).argmax(dim=1) == labels).sum())
    return correct / len(image_set)
